package kernel

// Im2col copies the window contents of an image x [H, W, channels] to the rows of dst, for the positions from to to-1
// (row-major over the output) and the channels c0 to c0+c-1. Padding is 0.
//
//	dst[p-from, kh, kw, i] = x[oh*stride + kh*dilation - top, ow*stride + kw*dilation - left, c0+i]
func Im2col(dst, x []float32, channels, c0, c int, w *Window, from, to int) {
	depth := w.KH * w.KW * c
	dst, x = upTo(dst, (to-from)*depth), upTo(x, w.H*w.W*channels)
	for from < to {
		next := min(to, from+w.OutW-from%w.OutW) // the end of the output row
		if useAVX2 && w.DilationW == 1 && c == channels {
			w.im2colRow(dst, x, c, from, next)
		} else {
			w.im2colLines(dst, x, channels, c0, c, from, next)
		}
		dst = dst[(next-from)*depth:]
		from = next
	}
}

// im2colRow does positions of one output row: those without padding by vectors.
func (w *Window) im2colRow(dst, x []float32, c, from, to int) {
	depth, oh := w.KH*w.KW*c, from/w.OutW
	y := oh*w.StrideH - w.Top
	first, last := max(from, oh*w.OutW+(w.Left+w.StrideW-1)/w.StrideW), to
	// A vector may reach 7 numbers beyond a line: not at the end of dst or of x.
	inner := func(p int) bool {
		px := p%w.OutW*w.StrideW - w.Left
		end := ((y+(w.KH-1)*w.DilationH)*w.W + px + w.KW) * c
		return px+w.KW <= w.W && end+7 <= len(x) && (p+1-from)*depth+7 <= len(dst)
	}
	for last > first && !inner(last-1) {
		last--
	}
	if y < 0 || y+(w.KH-1)*w.DilationH >= w.H || last <= first {
		w.im2colLines(dst, x, c, 0, c, from, to)
		return
	}
	w.im2colLines(dst, x, c, 0, c, from, first)
	im2colAVX2(&dst[(first-from)*depth], &x[(y*w.W+first%w.OutW*w.StrideW-w.Left)*c], last-first, w.KH, w.KW*c,
		4*w.StrideW*c, 4*w.DilationH*w.W*c)
	w.im2colLines(dst[(last-from)*depth:], x, c, 0, c, last, to)
}

// im2colLines is Im2col line by line.
func (w *Window) im2colLines(dst, x []float32, channels, c0, c, from, to int) {
	line := w.KW * c
	w.eachLine(from, to, func(row, at, left int) {
		seg := dst[row*line : (row+1)*line]
		switch {
		case at < 0:
			clear(seg)
		case w.DilationW == 1 && c == channels:
			first, length := inside(left, w.KW, w.W)
			if length < w.KW {
				clear(seg)
			}
			if length > 0 {
				copy(seg[(first-left)*c:], x[(at+first)*c:(at+first+length)*c])
			}
		default:
			for kw := range w.KW {
				if px := left + kw*w.DilationW; px >= 0 && px < w.W {
					copy(seg[kw*c:(kw+1)*c], x[(at+px)*channels+c0:])
				} else {
					clear(seg[kw*c : (kw+1)*c])
				}
			}
		}
	})
}

// Col2im is the transpose of Im2col: it adds rows to the image dst [H, W, channels] that they came from, in order.
//
//	dst[oh*stride + kh*dilation - top, ow*stride + kw*dilation - left, c0+i] += cols[p-from, kh, kw, i]
func Col2im(dst, cols []float32, channels, c0, c int, w *Window, from, to int) {
	cols, dst = upTo(cols, (to-from)*w.KH*w.KW*c), upTo(dst, w.H*w.W*channels)
	line := w.KW * c
	w.eachLine(from, to, func(row, at, left int) {
		seg := cols[row*line : (row+1)*line]
		switch {
		case at < 0:
		case w.DilationW == 1 && c == channels:
			if first, length := inside(left, w.KW, w.W); length > 0 {
				addRun(dst[(at+first)*c:(at+first+length)*c], seg[(first-left)*c:])
			}
		default:
			for kw := range w.KW {
				if px := left + kw*w.DilationW; px >= 0 && px < w.W {
					addRun(dst[(at+px)*channels+c0:(at+px)*channels+c0+c], seg[kw*c:])
				}
			}
		}
	})
}

// addRun adds src to dst.
func addRun(dst, src []float32) {
	if len(dst) >= 16 {
		Add(dst, dst, src)
		return
	}
	for i, v := range upTo(src, len(dst)) {
		dst[i] += v
	}
}

// eachLine calls f for each line of taps of the windows from to to-1: with the line's number, the first pixel of its row of
// the image, or -1 if that is padding, and the column of its first tap.
func (w *Window) eachLine(from, to int, f func(row, at, left int)) {
	row := 0
	oh, ow := from/w.OutW, from%w.OutW
	for range to - from {
		for kh := range w.KH {
			at := -1
			if y := oh*w.StrideH + kh*w.DilationH - w.Top; y >= 0 && y < w.H {
				at = y * w.W
			}
			f(row, at, ow*w.StrideW-w.Left)
			row++
		}
		if ow++; ow == w.OutW {
			oh, ow = oh+1, 0
		}
	}
}
