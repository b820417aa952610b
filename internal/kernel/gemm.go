package kernel

// Workspace holds the pack buffers of Gemm and of the convolutions. The zero value is ready for use; it grows to what
// its largest call needs and then allocates no more. One Workspace serves one call at a time.
type Workspace struct {
	a, col []float32
	packed Packed
}

// grow returns a slice of n elements of undefined content, s itself if it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Gemm computes a matrix product: C [m x n] = op(A) [m x k] * op(B) [k x n], or C += with accumulate.
//
//	for i := range m {
//		for j := range n {
//			acc := 0 // with accumulate: c[i*ldc+j]
//			for p := range k {
//				acc = fma(op(a)[i,p], op(b)[p,j], acc)
//			}
//			c[i*ldc+j] = acc
//		}
//	}
//
// op transposes if transA or transB is set: the stored A is then [k x m] and B [n x k]. lda, ldb and ldc are the
// distances between the starts of stored rows, at least as long as these.
func Gemm(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, accumulate bool,
	c []float32, ldc int, ws *Workspace) {
	checkStored("a", transA, m, k, a, lda)
	checkStored("b", transB, k, n, b, ldb)
	checkMatrix("c", m, n, c, ldc)
	p := product{m: m, n: n, k: k, c: c, ldc: ldc, accumulate: accumulate}
	p.setA(transA, a, lda)
	switch {
	case !transB && m < worthPacking:
		p.b, p.ldb, p.panel = b, ldb, panelWidth
		p.run(ws)
	case k*n <= maxDepth*blockWidth || m > maxBlockRows:
		ws.packed.Pack(transB, k, n, b, ldb)
		p.setPacked(&ws.packed)
		p.run(ws)
	default:
		p.runBlocks(transB, b, ldb, ws)
	}
}

const (
	worthPacking = 48  // rows from which it pays to pack a B that could be used as it is
	blockWidth   = 160 // columns of a block of B that stays in the L2 cache with maxDepth rows (240 KiB)
	maxBlockRows = 512 // rows up to which a large B is packed by blocks, since packing is a large part of the work
)

// GemmPacked is Gemm with a B that was packed before. Several goroutines may use the same b at once, each with
// its own ws.
func GemmPacked(transA bool, m int, a []float32, lda int, b *Packed, accumulate bool, c []float32, ldc int, ws *Workspace) {
	checkStored("a", transA, m, b.k, a, lda)
	checkMatrix("c", m, b.n, c, ldc)
	p := product{m: m, n: b.n, k: b.k, c: c, ldc: ldc, accumulate: accumulate}
	p.setA(transA, a, lda)
	p.setPacked(b)
	p.run(ws)
}

// checkStored panics unless s holds the stored form of an m x n matrix.
func checkStored(name string, trans bool, m, n int, s []float32, ld int) {
	if trans {
		m, n = n, m
	}
	checkMatrix(name, m, n, s, ld)
}

// checkMatrix panics unless s holds an m x n matrix of row distance ld.
func checkMatrix(name string, m, n int, s []float32, ld int) {
	if m < 0 || n < 0 || ld < n {
		panic("kernel: bad size of matrix " + name)
	}
	if m > 0 && n > 0 && len(s) < (m-1)*ld+n {
		panic("kernel: matrix " + name + " is too short")
	}
}
