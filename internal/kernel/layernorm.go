package kernel

import (
	"math"
	"unsafe"
)

// LayerNorm normalises every row of x [rows x n], n being the length of gamma and beta, and keeps the row's mean and
// the inverse of its standard deviation for LayerNormGrad. Sums are in double precision, in the lanes of Sum.
//
//	mean[i] = Sum(x[i]) / n
//	rstd[i] = 1 / sqrt(sum((x[i,j] - mean[i])^2) / n + epsilon)
//	dst[i,j] = fma((x[i,j] - mean[i]) * rstd[i], gamma[j], beta[j])
func LayerNorm(dst, mean, rstd, x, gamma, beta []float32, epsilon float64) {
	n := len(gamma)
	beta = upTo(beta, n)
	rows := rowsOf(x, n)
	dst, mean, rstd = upTo(dst, len(x)), upTo(mean, rows), upTo(rstd, rows)
	for r := range rows {
		row, d := x[r*n:(r+1)*n], dst[r*n:(r+1)*n]
		m := float32(Sum(row) / float64(n))
		s := float32(1 / math.Sqrt(sumSquaresFrom(row, m)/float64(n)+epsilon))
		mean[r], rstd[r] = m, s
		if useAVX2 {
			layerNormAVX2(unsafe.SliceData(d), unsafe.SliceData(row), unsafe.SliceData(gamma), unsafe.SliceData(beta), n, m, s)
			continue
		}
		for j, v := range row {
			d[j] = fma((v-m)*s, gamma[j], beta[j])
		}
	}
}

// LayerNormGrad computes the gradients of LayerNorm. Those of gamma and beta are added to what is there, row by row.
//
//	xhat := (x[i,j] - mean[i]) * rstd[i]
//	dgamma[j] = fma(dy[i,j], xhat, dgamma[j]); dbeta[j] += dy[i,j]
//	g := dy[i,j] * gamma[j]; s1 := Sum(g) / n; s2 := Dot(g, xhat) / n
//	dst[i,j] = rstd[i] * fma(-xhat, s2, g - s1)
func LayerNormGrad(dst, dgamma, dbeta, dy, x, mean, rstd, gamma []float32) {
	n := len(gamma)
	dgamma, dbeta = upTo(dgamma, n), upTo(dbeta, n)
	rows := rowsOf(x, n)
	dst, dy, mean, rstd = upTo(dst, len(x)), upTo(dy, len(x)), upTo(mean, rows), upTo(rstd, rows)
	for r := range rows {
		row, g, d := x[r*n:(r+1)*n], dy[r*n:(r+1)*n], dst[r*n:(r+1)*n]
		m, s := mean[r], rstd[r]
		s1, s2 := layerNormSums(dgamma, dbeta, g, row, gamma, m, s)
		if useAVX2 {
			layerNormGradAVX2(unsafe.SliceData(d), unsafe.SliceData(g), unsafe.SliceData(row), unsafe.SliceData(gamma), n,
				m, s, s1, s2)
			continue
		}
		for j, v := range row {
			t := float32(g[j] * gamma[j])
			d[j] = s * fma(-float32((v-m)*s), s2, t-s1)
		}
	}
}

// layerNormSums is the part of LayerNormGrad that comes before dst, for one row.
func layerNormSums(dgamma, dbeta, dy, x, gamma []float32, m, s float32) (s1, s2 float32) {
	var acc [32]float64 // 16 lanes of the sum, 16 of the inner product
	n, done := len(x), 0
	if useAVX2 {
		done = n &^ 15
		layerNormSumsAVX2(&acc[0], unsafe.SliceData(dgamma), unsafe.SliceData(dbeta), unsafe.SliceData(dy),
			unsafe.SliceData(x), unsafe.SliceData(gamma), done, m, s)
	}
	for j := done; j < n; j++ {
		xhat, u := float32((x[j]-m)*s), dy[j]
		dgamma[j] = fma(u, xhat, dgamma[j])
		dbeta[j] += u
		t := float32(u * gamma[j])
		acc[j%16] += float64(t)
		acc[16+j%16] += float64(t) * float64(xhat)
	}
	sum, dot := fold16((*[16]float64)(acc[:16])), fold16((*[16]float64)(acc[16:]))
	return float32(sum / float64(n)), float32(dot / float64(n))
}
