package kernel

// panelWidth is the number of columns of a panel, two AVX2 registers.
const panelWidth = 16

// Packed is a matrix B [k x n] cut into panels of 16 columns, each stored row by row; in the last panel, the content of
// columns beyond n is undefined. It is meant for a B that many products share; a Packed is read-only for them.
//
//	B = | P0 | P1 | ... |      data = P0[0,0:16] P0[1,0:16] ... P0[k-1,0:16] P1[0,0:16] ...
type Packed struct {
	k, n int
	data []float32
}

// Size returns the shape of the packed matrix.
func (p *Packed) Size() (k, n int) { return p.k, p.n }

// Pack stores op(B), a matrix of k x n, in p. With trans, the stored B is [n x k]. The storage of p is used again.
func (p *Packed) Pack(trans bool, k, n int, b []float32, ldb int) {
	checkStored("b", trans, k, n, b, ldb)
	p.k, p.n = k, n
	p.data = grow(p.data, (n+panelWidth-1)/panelWidth*panelWidth*k)
	switch {
	case k == 0 || n == 0:
	case trans:
		packColumns(p.data, b, ldb, k, n)
	default:
		packRows(p.data, b, ldb, k, n)
	}
}

// packRowsGo is packRows in plain Go.
//
//	dst[j/16*16*k + r*16 + j%16] = b[r*ldb+j]
func packRowsGo(dst, b []float32, ldb, k, n int) {
	for j := 0; j < n; j += panelWidth {
		w := min(panelWidth, n-j)
		for r := range k {
			at := j*k + r*panelWidth
			copy(dst[at:at+w], b[r*ldb+j:])
		}
	}
}

// packColumnsGo is packColumns in plain Go.
//
//	dst[j/16*16*k + r*16 + j%16] = b[j*ldb+r]
func packColumnsGo(dst, b []float32, ldb, k, n int) {
	for j := range n {
		panel := dst[j/panelWidth*panelWidth*k+j%panelWidth:]
		for r, v := range b[j*ldb : j*ldb+k] {
			panel[r*panelWidth] = v
		}
	}
}
