//go:build amd64 && !noasm

package kernel

import "unsafe"

// tileArgs are the arguments of the tile kernels; distances are in bytes. A kernel computes, for each panel (or, with
// 512 bits, each two panels) of 16 columns and each of a number of tiles of N rows,
//
//	for i := range N { for j := range 16 {
//		acc := 0 // with load: c[i,j]
//		for p := range k { acc = fma(a[i,p], b[p,j], acc) }
//		c[i,j] = acc
//	}}
type tileArgs struct {
	a                    unsafe.Pointer
	rowA, colA, nextA    int
	b                    unsafe.Pointer
	ldb, nextB           int
	c                    unsafe.Pointer
	ldc, nextC           int
	k                    int
	tiles, panels, width int // width: columns of a last, narrower panel or two
	load                 int
	rows                 int // of a tile
}

// gemmTiles takes tiles of 1 to 6 rows.
//
//go:noescape
func gemmTiles(args *tileArgs)

// gemmTilesWide takes tiles of 1 to 12 rows, and two panels at once. It needs AVX-512.
//
//go:noescape
func gemmTilesWide(args *tileArgs)

// tiles computes the product without cutting k. The rows are shared out to the fewest tiles, of two sizes at most.
func (p *product) tiles() {
	if !useAVX2 {
		p.tilesGo()
		return
	}
	most := maxTileRows / 2
	if useAVX512 {
		most = maxTileRows
	}
	tiles := (p.m + most - 1) / most
	rows, larger := p.m/tiles, p.m%tiles
	p.strip(0, rows+1, larger)
	p.strip(larger*(rows+1), rows, tiles-larger)
}

// strip computes a number of tiles of equal size, from row i on.
func (p *product) strip(i, rows, tiles int) {
	if tiles == 0 {
		return
	}
	args := tileArgs{
		rowA: 4 * p.rowA, colA: 4 * p.colA, nextA: 4 * rows * p.rowA,
		ldb: 4 * p.ldb, nextB: 4 * p.panel,
		c: unsafe.Pointer(&p.c[i*p.ldc]), ldc: 4 * p.ldc, nextC: 4 * rows * p.ldc,
		k: p.k, tiles: tiles, panels: p.n / panelWidth, width: p.n % panelWidth, rows: rows,
	}
	if p.k > 0 {
		args.a, args.b = unsafe.Pointer(&p.a[i*p.rowA]), unsafe.Pointer(&p.b[0])
	}
	if p.accumulate {
		args.load = 1
	}
	if !useAVX512 {
		gemmTiles(&args)
		return
	}
	args.panels, args.width = p.n/(2*panelWidth), p.n%(2*panelWidth)
	gemmTilesWide(&args)
}
