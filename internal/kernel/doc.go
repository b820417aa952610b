// Package kernel holds the single-precision kernels of training on a CPU: matrix product, convolution, pooling,
// elementary functions, normalisation, optimizer loops, and conversion to and from fixed point.
//
// # Same bits
//
// The result of every kernel is defined by the loop in its comment, down to the last bit: which multiply-adds are
// fused, in which order sums are taken, which polynomial approximates which function. What runs on AVX2 and FMA
// (matrix products on AVX-512, where that is) is assembly; everything else (other processors, the build tag noasm) runs plain Go with the same bits. They never depend
// on the number of threads, on how many rows a call has, or on how a caller cuts its rows into calls, except where a
// comment says that a sum runs over all rows of the call. The one freedom is the sign and payload of a NaN.
//
// # Conventions
//
//  1. Matrices are row-major and images channels last (NHWC). What is overwritten comes first and is named dst, except
//     in Gemm, which has the order of BLAS.
//  2. dst may be one of the inputs of an element-wise kernel (the same slice), but must not overlap one in another way.
//     Matrix products, convolutions, pooling and everything that moves rows need a dst of its own.
//  3. fma(a, b, c) in a comment is a*b + c rounded once. Everything else is rounded at each step.
//  4. A kernel panics if a slice is too short or a size is negative: that is an error of the programmer. It does not
//     allocate once its Workspace is warm, starts no goroutine, and keeps no reference to its arguments.
//
//go:generate go run ./gen
package kernel
