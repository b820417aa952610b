"""Computes models from tensors in PyTorch's layout, as PyTorch's documentation defines its modules, in numpy.

usage: check.py DIR, with cases.json and 0.safetensors, 1.safetensors, ... in it.
"""
import json
import os
import struct
import sys

import numpy as np


def load(path):
    raw = open(path, 'rb').read()
    n, = struct.unpack('<Q', raw[:8])
    header, data = json.loads(raw[8:8 + n]), raw[8 + n:]
    return {k: np.frombuffer(data[t['data_offsets'][0]:t['data_offsets'][1]], '<f4').reshape(t['shape']).astype(np.float64)
            for k, t in header.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def linear(p, name, x):
    return x @ p[name + '.weight'].T + p[name + '.bias']


def conv2d(p, name, x, pad):
    w = p[name + '.weight']
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    oh, ow = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
    y = sum(np.einsum('nchw,oc->nohw', x[:, :, i:i + oh, j:j + ow], w[:, :, i, j]) for i in range(w.shape[2]) for j in range(w.shape[3]))
    return y + p[name + '.bias'][None, :, None, None]


def conv_transpose2d(p, name, x, stride):
    w = p[name + '.weight']
    n, _, h, v = x.shape
    y = np.zeros((n, w.shape[1], (h - 1) * stride + w.shape[2], (v - 1) * stride + w.shape[3]))
    for i in range(h):
        for j in range(v):
            y[:, :, i * stride:i * stride + w.shape[2], j * stride:j * stride + w.shape[3]] += np.einsum('nc,coij->noij', x[:, :, i, j], w)
    return y + p[name + '.bias'][None, :, None, None]


def batch_norm(p, name, x, axis=1):
    s = [1] * x.ndim
    s[axis] = -1
    q = {k: p[name + '.' + k].reshape(s) for k in ('weight', 'bias', 'running_mean', 'running_var')}
    return (x - q['running_mean']) / np.sqrt(q['running_var'] + 1e-3) * q['weight'] + q['bias']


def layer_norm(p, name, x, eps):
    m = x.mean(-1, keepdims=True)
    return (x - m) / np.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + eps) * p[name + '.weight'] + p[name + '.bias']


def recurrent(p, name, kind, x, end='_l0'):
    wi, wh, bi, bh = (p['%s.%s%s' % (name, k, end)] for k in ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'))
    h = np.zeros((x.shape[0], wh.shape[1]))
    c, out = h, np.zeros(x.shape[:2] + h.shape[1:])
    for t in reversed(range(x.shape[1])) if end.endswith('_reverse') else range(x.shape[1]):
        a, b = x[:, t] @ wi.T + bi, h @ wh.T + bh
        if kind == 'rnn':
            h = np.tanh(a + b)
        elif kind == 'lstm':
            i, f, g, o = np.split(a + b, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (ar, az, an), (br, bz, bn) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
            z = sigmoid(az + bz)
            h = (1 - z) * np.tanh(an + sigmoid(ar + br) * bn) + z * h
        out[:, t] = h
    return out


def attention(p, name, x, heads):
    n, t, d = x.shape
    q, k, v = np.split(x @ p[name + '.in_proj_weight'].T + p[name + '.in_proj_bias'], 3, axis=-1)
    q, k, v = (a.reshape(n, t, heads, d // heads).transpose(0, 2, 1, 3) for a in (q, k, v))
    s = q @ k.transpose(0, 1, 3, 2) / np.sqrt(d // heads)
    e = np.exp(s - s.max(-1, keepdims=True))
    y = (e / e.sum(-1, keepdims=True)) @ v
    return linear(p, name + '.out_proj', y.transpose(0, 2, 1, 3).reshape(n, t, d))


def cnn(p, x):
    x = np.maximum(conv2d(p, 'conv2d', x, 1), 0)
    x = batch_norm(p, 'batch_norm', x)
    x = x.reshape(x.shape[0], -1)
    x = batch_norm(p, 'batch_norm_1', x)
    x = np.maximum(linear(p, 'dense', x), 0)
    x = x.reshape(x.shape[0], 5, 3, 2)
    return conv_transpose2d(p, 'conv2d_transpose', x, 2)


def sequence(p, x):
    x = p['embedding.weight'][x.astype(int)]
    x = x + p['positional_embedding.weight']
    x = np.concatenate([recurrent(p, 'bidirectional', 'lstm', x), recurrent(p, 'bidirectional', 'lstm', x, '_l0_reverse')], axis=-1)
    b = 'transformer_block.'
    x = x + attention(p, b + 'self_attn', layer_norm(p, b + 'norm1', x, 1e-5), 2)
    x = x + linear(p, b + 'linear2', np.maximum(linear(p, b + 'linear1', layer_norm(p, b + 'norm2', x, 1e-5)), 0))
    x = recurrent(p, 'gru', 'gru', x)
    x = recurrent(p, 'simple_rnn', 'rnn', x)
    return linear(p, 'residual.dense', x) + x


for number, case in enumerate(json.load(open(os.path.join(sys.argv[1], 'cases.json')))):
    p = load(os.path.join(sys.argv[1], '%d.safetensors' % number))
    x, want = (np.array(case[k], dtype=np.float64).reshape(case[k + '_shape']) for k in 'xy')
    if x.ndim == 4:  # PyTorch's images
        x, want = x.transpose(0, 3, 1, 2), want.transpose(0, 3, 1, 2)
    got = {'cnn': cnn, 'sequence': sequence}[case['name']](p, x)
    err = np.abs(got - want).max()
    assert got.shape == want.shape and err <= 1e-5, (case['name'], got.shape, want.shape, err)
    print(case['name'], err)
