// Package torch maps a model's tensors to the names and layouts that PyTorch's modules have, and back.
//
// A layer keeps its name, with "." for "/", and is the module that computes the same:
//
//	dense                 Linear              weight [out, in], bias
//	conv2d                Conv2d              weight [out, in/groups, height, width], bias
//	conv2d_transpose      ConvTranspose2d     weight [in, out, height, width], bias
//	batch_norm            BatchNorm           weight, bias, running_mean, running_var
//	layer_norm            LayerNorm           weight, bias
//	embedding             Embedding           weight
//	positional_embedding  (a table)           weight [time, features]
//	simple_rnn            RNN, batch_first    weight_ih_l0 [units, in], weight_hh_l0, bias_ih_l0, bias_hh_l0
//	lstm                  LSTM, batch_first   likewise, gates i, f, g, o
//	gru                   GRU, batch_first    likewise, gates r, z, n
//	bidirectional         ... bidirectional   likewise, and each again with _reverse
//	multi_head_attention  MultiheadAttention  in_proj_weight, in_proj_bias, out_proj.weight, out_proj.bias
//	transformer_block     TransformerEncoderLayer, norm_first: self_attn, linear1, linear2, norm1, norm2
//
// Where heads times key_dim is not the width, which MultiheadAttention does not have, attention is four Linear: q_proj,
// k_proj, v_proj and out_proj. The bias of lstm and simple_rnn is PyTorch's bias_ih, and bias_hh is 0; back, they are added.
//
// PyTorch's images are [channels, height, width]. So what flatten makes of an image, and reshape an image of, is in
// another order there; the weights of the layers in between are in that order, too. This holds for flatten and for reshape
// of a vector to an image; any other reshape of an image needs a permutation to [height, width, channels] first.
package torch
