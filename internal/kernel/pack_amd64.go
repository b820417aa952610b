//go:build amd64 && !noasm

package kernel

import "unsafe"

// packRowsAVX2 copies rows of panels*16 + width columns, ld bytes apart, to panels that are next bytes apart.
//
//go:noescape
func packRowsAVX2(dst, src unsafe.Pointer, ld, rows, panels, next, width int)

// transpose8AVX2 writes columns of 8 rows, ldSrc bytes apart, as rows of 8, ldDst bytes apart. k, the number of columns,
// is at least 8. With less than 8 rows, the last one takes the place of those that are missing.
//
//	for j := range k { for i := range 8 { dst[j,i] = src[min(i, rows-1),j] } }
//
//go:noescape
func transpose8AVX2(dst unsafe.Pointer, ldDst int, src unsafe.Pointer, ldSrc, k, rows int)

// packBlock is the number of rows that packRows takes at a time when they are long, so that it reads along them.
const packBlock = 16

func packRows(dst, b []float32, ldb, k, n int) {
	if !useAVX2 {
		packRowsGo(dst, b, ldb, k, n)
		return
	}
	block := k
	if n > 8*panelWidth {
		block = packBlock
	}
	for r := 0; r < k; r += block {
		packRowsAVX2(unsafe.Pointer(&dst[r*panelWidth]), unsafe.Pointer(&b[r*ldb]), 4*ldb, min(block, k-r),
			n/panelWidth, 4*panelWidth*k, n%panelWidth)
	}
}

func packColumns(dst, b []float32, ldb, k, n int) {
	if !useAVX2 || k < 8 {
		packColumnsGo(dst, b, ldb, k, n)
		return
	}
	for j := 0; j < n; j += 8 {
		at := j/panelWidth*panelWidth*k + j%panelWidth
		transpose8AVX2(unsafe.Pointer(&dst[at]), 4*panelWidth, unsafe.Pointer(&b[j*ldb]), 4*ldb, k, min(8, n-j))
	}
}

// transpose does blocks of 8 rows. The last one may overlap the one before.
func transpose(dst []float32, ldDst int, x []float32, ldX, m, n int) {
	if !useAVX2 || m < 8 || n < 8 {
		transposeGo(dst, ldDst, x, ldX, m, n)
		return
	}
	for i := 0; i < m; i += 8 {
		i := min(i, m-8)
		transpose8AVX2(unsafe.Pointer(&dst[i]), 4*ldDst, unsafe.Pointer(&x[i*ldX]), 4*ldX, n, 8)
	}
}
