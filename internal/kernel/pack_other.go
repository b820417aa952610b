//go:build !amd64 || noasm

package kernel

func packRows(dst, b []float32, ldb, k, n int) { packRowsGo(dst, b, ldb, k, n) }

func packColumns(dst, b []float32, ldb, k, n int) { packColumnsGo(dst, b, ldb, k, n) }

func transpose(dst []float32, ldDst int, x []float32, ldX, m, n int) {
	transposeGo(dst, ldDst, x, ldX, m, n)
}
