package model

// LayerInfo tells of one layer of a network. Of a residual layer those inside are told, of any other the whole.
type LayerInfo struct {
	Name       string `json:"name"` // with those of the layers around it, slashes between
	Type       string `json:"type"`
	Output     []int  `json:"output"`     // shape, of one record
	Parameters int    `json:"parameters"` // values, with frozen ones and moving statistics
	Trainable  int    `json:"trainable"`  // values of them that the optimizer changes
	Forward    int64  `json:"forward_flops"`
	Backward   int64  `json:"backward_flops"` // both for one record: 2 for each multiply-add of a product, the rest not counted
}

// Layers tells of the network's layers, in forward order.
func (n *Network) Layers() []LayerInfo { return n.layers(n.root, len(n.params)) }

// layers tells of a stack's layers; end is the first parameter behind the stack.
func (n *Network) layers(s *stack, end int) (out []LayerInfo) {
	for i, p := range s.parts {
		last := end
		if i+1 < len(s.parts) {
			last = s.parts[i+1].first
		}
		if r, ok := p.layer.(*residual); ok {
			out = append(out, n.layers(r.f, last)...)
			continue
		}
		info := LayerInfo{Name: p.name, Type: p.kind, Output: p.layer.out().dims}
		for _, param := range n.params[p.first:last] {
			info.Parameters += param.Len
			if param.Kind == Trainable {
				info.Trainable += param.Len
			}
		}
		forward, backward := n.products(p.layer)
		info.Forward, info.Backward = 2*forward, 2*backward
		out = append(out, info)
	}
	return out
}

// products counts the multiply-adds of a layer's products, for one record.
func (n *Network) products(l layer) (forward, backward int64) {
	add := func(f, b int64) { forward, backward = forward+f, backward+b }
	switch l := l.(type) {
	case *dense:
		add(n.product(l.kernel, l.rows*l.k*l.n, l.dx))
	case *conv:
		positions := l.o.size() / l.o.last()
		if l.transposed {
			positions = l.in.size() / l.in.last()
		}
		add(n.product(l.kernel, positions*n.params[l.kernel].Len, l.dx))
	case *recurrent:
		add(n.product(l.input.kernel, l.steps*n.params[l.input.kernel].Len, l.dx))
		add(n.product(l.state.kernel, (l.steps-1)*n.params[l.state.kernel].Len, true))
	case *bidirectional:
		add(n.products(l.ahead))
		add(n.products(l.back))
	case *attention:
		for _, p := range []*projection{&l.q, &l.k, &l.v} {
			add(n.product(p.kernel, l.steps*p.linear.k*p.n, l.dx))
		}
		add(n.product(l.merge.kernel, l.steps*l.merge.linear.k*l.merge.n, true))
		scores := int64(2 * l.steps * l.steps * l.heads * l.size) // with queries and keys, with values
		add(scores, 2*scores)
	case *timeDistributed:
		f, b := n.products(l.inner)
		add(int64(l.steps)*f, int64(l.steps)*b)
	case *residual:
		add(n.products(l.f))
	case *stack:
		for _, p := range l.parts {
			add(n.products(p.layer))
		}
	}
	return forward, backward
}

// product counts a product with a parameter of count multiply-adds forward: backward as many for the parameter's
// gradient, and as many for the input's if that is wanted.
func (n *Network) product(param, count int, dx bool) (forward, backward int64) {
	forward = int64(count)
	if n.params[param].Kind == Trainable {
		backward += forward
	}
	if dx {
		backward += forward
	}
	return forward, backward
}
