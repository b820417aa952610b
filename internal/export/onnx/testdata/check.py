"""Checks models with onnx.checker and computes them: each in numpy, as the standard's text says, and some with OpenCV.

usage: check.py DIR, with cases.json and 0.onnx, 1.onnx, ... in it. Errors are absolute up to 1, relative above.
"""
import json
import math
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


FUNCTIONS = {'Tanh': np.tanh, 'Relu': lambda x: np.maximum(x, 0), 'Sigmoid': sigmoid, 'Softplus': lambda x: np.log1p(np.exp(x))}


def patches(x, kernel, strides, pads, dilations, fill):
    """[batch, channels, kh, kw, out h, out w]"""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    oh, ow = [(x.shape[2 + i] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in (0, 1)]
    out = np.empty(x.shape[:2] + tuple(kernel) + (oh, ow))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            a, b = i * dilations[0], j * dilations[1]
            out[:, :, i, j] = x[:, :, a:a + (oh - 1) * strides[0] + 1:strides[0], b:b + (ow - 1) * strides[1] + 1:strides[1]]
    return out


def conv(x, w, b, a):
    p = patches(x, w.shape[2:], a['strides'], a['pads'], a['dilations'], 0)
    g, m = a['group'], w.shape[0] // a['group']
    c = w.shape[1]
    y = [np.einsum('ncijhw,mcij->nmhw', p[:, k * c:(k + 1) * c], w[k * m:(k + 1) * m]) for k in range(g)]
    y = np.concatenate(y, axis=1)
    return y if b is None else y + b[None, :, None, None]


def conv_transpose(x, w, b, a):
    assert a['group'] == 1
    s, p, o = a['strides'], a['pads'], a['output_padding']
    n, _, h, v = x.shape
    kh, kw = w.shape[2:]
    full = np.zeros((n, w.shape[1], (h - 1) * s[0] + kh + o[0], (v - 1) * s[1] + kw + o[1]))
    for i in range(h):
        for j in range(v):
            full[:, :, i * s[0]:i * s[0] + kh, j * s[1]:j * s[1] + kw] += np.einsum('nc,cmij->nmij', x[:, :, i, j], w)
    y = full[:, :, p[0]:full.shape[2] - p[2], p[1]:full.shape[3] - p[3]]
    return y if b is None else y + b[None, :, None, None]


def recurrent(op, x, w, r, b, a):
    """Y [time, directions, batch, hidden] and Y_h"""
    steps, n, _ = x.shape
    h = a['hidden_size']
    out = np.zeros((steps, w.shape[0], n, h))
    for d in range(w.shape[0]):
        wb, rb = np.split(b[d], 2)
        state, cell = np.zeros((n, h)), np.zeros((n, h))
        for t in (range(steps) if d == 0 else reversed(range(steps))):
            i, s = x[t] @ w[d].T + wb, state @ r[d].T + rb
            if op == 'RNN':
                state = FUNCTIONS[a['activations'][d].decode()](i + s)
            elif op == 'LSTM':
                gi, go, gf, gc = np.split(i + s, 4, axis=1)
                cell = sigmoid(gf) * cell + sigmoid(gi) * np.tanh(gc)
                state = sigmoid(go) * np.tanh(cell)
            else:
                assert a['linear_before_reset'] == 1
                (iz, ir, ih), (sz, sr, sh) = np.split(i, 3, axis=1), np.split(s, 3, axis=1)
                z, rr = sigmoid(iz + sz), sigmoid(ir + sr)
                state = (1 - z) * np.tanh(ih + rr * sh) + z * state
            out[t, d] = state
    last = np.stack([out[-1 if d == 0 else 0, d] for d in range(w.shape[0])])
    return out, last


def compute(op, v, a):
    if op in FUNCTIONS:
        return FUNCTIONS[op](v[0])
    if op in ('Add', 'Sub', 'Mul', 'Div'):
        return {'Add': np.add, 'Sub': np.subtract, 'Mul': np.multiply, 'Div': np.divide}[op](v[0], v[1])
    if op in ('ReduceMean', 'ReduceSum', 'ReduceProd'):
        f = {'ReduceMean': np.mean, 'ReduceSum': np.sum, 'ReduceProd': np.prod}[op]
        return f(v[0], axis=tuple(a['axes']), keepdims=bool(a['keepdims']))
    if op in ('Softmax', 'LogSoftmax'):
        assert a['axis'] == v[0].ndim - 1
        y = softmax(v[0], -1)
        return y if op == 'Softmax' else np.log(y)
    if op in ('MaxPool', 'AveragePool'):
        fill = -np.inf if op == 'MaxPool' else np.nan
        p = patches(v[0], a['kernel_shape'], a['strides'], a['pads'], (1, 1), fill)
        return (np.max if op == 'MaxPool' else np.nanmean)(p, axis=(2, 3))
    if op == 'BatchNormalization':
        s = [1, -1] + [1] * (v[0].ndim - 2)
        g, b, m, q = [t.reshape(s) for t in v[1:]]
        return (v[0] - m) / np.sqrt(q + a['epsilon']) * g + b
    if op == 'Gemm':
        return v[0] @ (v[1].T if a.get('transB') else v[1]) + v[2]
    if op == 'Slice':
        index = [slice(None)] * v[0].ndim
        for b, e, x in zip(*v[1:4]):
            index[x] = slice(b, e)
        return v[0][tuple(index)]
    simple = {
        'Identity': lambda: v[0], 'MatMul': lambda: v[0] @ v[1], 'Sqrt': lambda: np.sqrt(v[0]), 'Erf': lambda: np.vectorize(math.erf)(v[0]),
        'Transpose': lambda: v[0].transpose(a['perm']), 'Reshape': lambda: v[0].reshape(v[1]),
        'Gather': lambda: np.take(v[0], v[1].astype(int), axis=a['axis']),
        'LeakyRelu': lambda: np.where(v[0] < 0, a['alpha'] * v[0], v[0]),
        'Elu': lambda: np.where(v[0] < 0, a['alpha'] * np.expm1(v[0]), v[0]),
        'GlobalMaxPool': lambda: v[0].max(axis=(2, 3), keepdims=True), 'GlobalAveragePool': lambda: v[0].mean(axis=(2, 3), keepdims=True),
        'Conv': lambda: conv(v[0], v[1], v[2] if len(v) > 2 else None, a),
        'ConvTranspose': lambda: conv_transpose(v[0], v[1], v[2] if len(v) > 2 else None, a),
        'RNN': lambda: recurrent(op, *v, a), 'LSTM': lambda: recurrent(op, *v, a), 'GRU': lambda: recurrent(op, *v, a),
    }
    return simple[op]()


def evaluate(graph, x):
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    values = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in values.items()}
    values[graph.input[0].name] = x
    for node in graph.node:
        a = {t.name: onnx.helper.get_attribute_value(t) for t in node.attribute}
        y = compute(node.op_type, [values[i] for i in node.input], a)
        for name, out in zip(node.output, y if isinstance(y, tuple) else (y,)):
            values[name] = out
    return values[graph.output[0].name]


def compare(case, who, got):
    got, want = got.astype(np.float64).ravel(), np.array(case['y'])
    assert got.size == want.size, (case['name'], who, got.size, want.size)
    err = (np.abs(got - want) / np.maximum(1, np.abs(want))).max()
    assert err <= 1e-5, (case['name'], who, err, got[:8], want[:8])
    print('%s, %s: %.1e' % (case['name'], who, err))


for number, case in enumerate(json.load(open(os.path.join(sys.argv[1], 'cases.json')))):
    path = os.path.join(sys.argv[1], '%d.onnx' % number)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 11
    meta = {p.key: p.value for p in model.metadata_props}
    assert meta == {'classes': '["a","b"]'}, meta
    x = np.array(case['x'], dtype=np.float32).reshape(case['shape'])
    compare(case, 'numpy', evaluate(model.graph, x.astype(np.float64)))
    if case['opencv']:
        import cv2
        net = cv2.dnn.readNetFromONNX(path)
        net.setInput(x)
        compare(case, 'opencv', net.forward())
