package spec

// Layer is one layer of a model. Fields that its Type does not use are zero. Shapes are Keras': channels last.
type Layer struct {
	Type string `json:"type"`
	Name string `json:"name,omitempty"` // never empty once defaults are filled in: type, then type_1, type_2, ...

	Units      Size   `json:"units,omitempty"`
	Filters    int    `json:"filters,omitempty"`
	KernelSize Pair   `json:"kernel_size,omitzero"`
	Strides    Pair   `json:"strides,omitzero"`
	Dilation   Pair   `json:"dilation_rate,omitzero"`
	PoolSize   Pair   `json:"pool_size,omitzero"`
	Padding    string `json:"padding,omitempty"` // valid | same
	Groups     int    `json:"groups,omitempty"`
	UseBias    *bool  `json:"use_bias,omitempty"`

	Activation          string       `json:"activation,omitempty"`
	RecurrentActivation string       `json:"recurrent_activation,omitempty"`
	NegativeSlope       float64      `json:"negative_slope,omitempty"`
	Alpha               float64      `json:"alpha,omitempty"`
	Approximate         string       `json:"approximate,omitempty"` // gelu: none | tanh
	KernelInitializer   string       `json:"kernel_initializer,omitempty"`
	RecurrentInit       string       `json:"recurrent_initializer,omitempty"`
	BiasInitializer     string       `json:"bias_initializer,omitempty"`
	KernelRegularizer   *Regularizer `json:"kernel_regularizer,omitempty"`

	Rate     float64  `json:"rate,omitempty"`     // dropout
	Momentum *float64 `json:"momentum,omitempty"` // batch_norm
	Epsilon  float64  `json:"epsilon,omitempty"`  // batch_norm, layer_norm

	InputDim        Size `json:"input_dim,omitempty"`  // embedding
	OutputDim       int  `json:"output_dim,omitempty"` // embedding
	MaskZero        bool `json:"mask_zero,omitempty"`  // embedding
	ReturnSequences bool `json:"return_sequences,omitempty"`
	Truncate        int  `json:"truncate_gradient,omitempty"` // simple_rnn, lstm, gru: steps; 0: never
	NumHeads        int  `json:"num_heads,omitempty"`
	KeyDim          int  `json:"key_dim,omitempty"`
	Causal          bool `json:"causal,omitempty"`
	Learned         bool `json:"learned,omitempty"` // positional_embedding: a table instead of sines

	TargetShape []int   `json:"target_shape,omitempty"` // reshape
	Layer       *Layer  `json:"layer,omitempty"`        // bidirectional, time_distributed
	MergeMode   string  `json:"merge_mode,omitempty"`   // bidirectional
	Layers      []Layer `json:"layers,omitempty"`       // residual
}

// Regularizer adds l1*sum|w| + l2*sum(w*w) to the loss.
type Regularizer struct {
	L1 float64 `json:"l1,omitempty"`
	L2 float64 `json:"l2,omitempty"`
}
