package kernel

// product is a matrix product in the form that the tile kernels take:
//
//	A[i,p] = a[i*rowA + p*colA]
//	B[p,j] = b[j/16*panel + p*ldb + j%16]
//	C[i,j] = c[i*ldc + j]
//
// so that panels may be those of a Packed (ldb = 16) or columns of a plain matrix (panel = 16).
type product struct {
	m, n, k    int
	a          []float32
	rowA, colA int
	b          []float32
	ldb, panel int
	c          []float32
	ldc        int
	accumulate bool
}

func (p *product) setA(trans bool, a []float32, lda int) {
	p.a, p.rowA, p.colA = a, lda, 1
	if trans {
		p.rowA, p.colA = 1, lda
	}
}

func (p *product) setPacked(b *Packed) { p.b, p.ldb, p.panel = b.data, panelWidth, b.k*panelWidth }

// The parts of a large product: a panel of B, maxDepth x 16 (24 KiB), stays in the L1 cache while it meets maxRows rows
// of A (225 KiB), which stay in the L2 cache.
const (
	maxDepth = 384
	maxRows  = 144
)

// run cuts k into parts of equal length. Each part goes on with the sums in C where the one before stopped.
func (p *product) run(ws *Workspace) {
	p.eachPart(func(q product, from int) {
		if q.k > 0 {
			q.b = p.b[from*p.ldb:]
		}
		q.rows(ws, q.k < p.k)
	})
}

// runBlocks is run with B [k x n] as stored: it packs a block of it just before it is used.
func (p *product) runBlocks(transB bool, b []float32, ldb int, ws *Workspace) {
	if p.m == 0 {
		return
	}
	for j := 0; j < p.n; j += blockWidth {
		block := *p
		block.n, block.c = min(blockWidth, p.n-j), p.c[j:]
		block.eachPart(func(q product, from int) {
			at := from*ldb + j
			if transB {
				at = j*ldb + from
			}
			ws.packed.Pack(transB, q.k, q.n, b[at:], ldb)
			q.setPacked(&ws.packed)
			q.rows(ws, q.k < p.k)
		})
	}
}

// eachPart calls f for the parts of k, which begin at from, with everything but B.
func (p *product) eachPart(f func(q product, from int)) {
	if p.m == 0 || p.n == 0 {
		return
	}
	parts := max(1, (p.k+maxDepth-1)/maxDepth)
	for i := range parts {
		from, to := p.k*i/parts, p.k*(i+1)/parts
		q := *p
		q.k = to - from
		q.accumulate = p.accumulate || i > 0
		if q.k > 0 {
			q.a = p.a[from*p.colA:]
		}
		f(q, from)
	}
}

// worthCopying is the number of columns from which it pays to copy the A of a large product. As it is, its rows may be
// so far apart that they displace each other from the cache, and a transposed A touches a page for every element.
const worthCopying = 128

// maxWork is the number of multiply-adds that are done in one go, about a millisecond's: the scheduler and the garbage
// collector cannot interrupt assembly.
const maxWork = 1 << 25

// rows cuts the rows into blocks. If the product is a part, the rows of A may go to a place where they lie next to each
// other.
func (p *product) rows(ws *Workspace, part bool) {
	copying := part && p.n >= worthCopying && p.m > maxTileRows
	block := max(maxTileRows, maxWork/(p.n*max(p.k, 1))/maxTileRows*maxTileRows)
	if copying {
		block = min(block, maxRows)
	}
	for i := 0; i < p.m; i += block {
		q := *p
		q.m = min(block, p.m-i)
		q.c = p.c[i*p.ldc:]
		if q.k > 0 {
			q.a = p.a[i*p.rowA:]
		}
		if copying {
			q.copyA(ws)
		}
		q.tiles()
	}
}

// copyA puts A into ws.
func (p *product) copyA(ws *Workspace) {
	ld := (p.k/16 + 1) * 16
	ws.a = grow(ws.a, maxRows*ld)
	if p.colA == 1 {
		for r := range p.m {
			copy(ws.a[r*ld:r*ld+p.k], p.a[r*p.rowA:])
		}
	} else {
		transpose(ws.a, ld, p.a, p.colA, p.k, p.m)
	}
	p.a, p.rowA, p.colA = ws.a, ld, 1
}

// maxTileRows is the number of rows of the largest tile with 512 bits, and twice that of the largest one with 256 bits.
const maxTileRows = 12

// tilesGo is tiles in plain Go.
func (p *product) tilesGo() {
	for j := 0; j < p.n; j += panelWidth {
		for i := range p.m {
			cell := p.c[i*p.ldc+j : i*p.ldc+min(p.n, j+panelWidth)]
			if !p.accumulate {
				clear(cell)
			}
			b := p.b[min(len(p.b), j/panelWidth*p.panel):]
			for d := range p.k {
				a := p.a[i*p.rowA+d*p.colA]
				row := b[d*p.ldb : d*p.ldb+len(cell)]
				for l, v := range row {
					cell[l] = fma(a, v, cell[l])
				}
			}
		}
	}
}
