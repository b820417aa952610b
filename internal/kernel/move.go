package kernel

// Transpose copies x [m x n] to dst [n x m].
//
//	dst[j*m+i] = x[i*n+j]
func Transpose(dst, x []float32, m, n int) {
	dst, x = upTo(dst, m*n), upTo(x, m*n)
	transpose(dst, m, x, n, m, n)
}

// transposeGo is transpose in plain Go.
//
//	for i := range m { for j := range n { dst[j*ldDst+i] = x[i*ldX+j] } }
func transposeGo(dst []float32, ldDst int, x []float32, ldX, m, n int) {
	for i := range m {
		for j, v := range x[i*ldX : i*ldX+n] {
			dst[j*ldDst+i] = v
		}
	}
}

// GatherRows copies rows of n elements from a table.
//
//	dst[i,j] = table[ids[i],j]
func GatherRows(dst, table []float32, ids []int32, n int) {
	dst = upTo(dst, len(ids)*n)
	for i, id := range ids {
		copy(dst[i*n:(i+1)*n], table[int(id)*n:(int(id)+1)*n])
	}
}

// ScatterAddRows adds rows of n elements to those of a table, in order: the transpose of GatherRows.
//
//	dst[ids[i],j] += x[i,j]
func ScatterAddRows(dst, x []float32, ids []int32, n int) {
	x = upTo(x, len(ids)*n)
	for i, id := range ids {
		row := dst[int(id)*n : (int(id)+1)*n]
		Add(row, row, x[i*n:(i+1)*n])
	}
}
