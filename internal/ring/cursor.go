package ring

// cursor reads a payload that is in pieces.
type cursor struct {
	parts [][]byte
	at    int // in parts[0]
}

// copyTo fills dst with the next len(dst) bytes and tells whether there were so many.
func (c *cursor) copyTo(dst []byte) bool {
	for len(dst) > 0 {
		if len(c.parts) == 0 {
			return false
		}
		n := copy(dst, c.parts[0][c.at:])
		dst = dst[n:]
		c.skip(n)
	}
	return true
}

// take returns the next n bytes: in place where they are in one piece, else copied
// to scratch, which is as long as that; nil if there are not so many.
func (c *cursor) take(n int, scratch []byte) []byte {
	for len(c.parts) > 0 && c.at == len(c.parts[0]) {
		c.parts, c.at = c.parts[1:], 0
	}
	if len(c.parts) > 0 && len(c.parts[0])-c.at >= n {
		b := c.parts[0][c.at : c.at+n]
		c.skip(n)
		return b
	}
	if n > len(scratch) || !c.copyTo(scratch[:n]) {
		return nil
	}
	return scratch[:n]
}

// skip moves on by n bytes of the present piece.
func (c *cursor) skip(n int) {
	if c.at += n; c.at == len(c.parts[0]) {
		c.parts, c.at = c.parts[1:], 0
	}
}

// empty tells whether nothing is left.
func (c *cursor) empty() bool {
	for _, p := range c.parts {
		if len(p) > c.at {
			return false
		}
		c.at = 0
	}
	return true
}
