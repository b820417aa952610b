package dataset

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// pageCheck goes over the pages of a parquet file before the library reads them. The library takes the memory that a page's
// header, the compressed stream in it, or the runs in that claim; here each claim is compared with what is there, and all
// that the pages become with the file's size.
type pageCheck struct {
	f        io.ReaderAt
	size     int64 // of the file
	end      int64 // of the pages: where the footer begins
	columns  []pageColumn
	claimed  int64 // bytes that the pages so far take, one after the other
	limit    int64 // of one page
	inflater inflater
}

// pageColumn is what the claims of a column's pages depend on.
type pageColumn struct {
	name       string
	kind       parquet.Kind
	width      int64 // bytes of a value
	repetition int   // greatest levels
	definition int
}

// The longest header of a page: it may hold statistics with values of the column.
const (
	firstHeader = 4 << 10
	maxHeader   = 16 << 20
)

// plainDictionary is an older name of dictionary encoding, in use still.
const plainDictionary format.Encoding = 2

// repeatedValue is the memory of a value in a row that has many.
const repeatedValue = 24

func newPageCheck(f *parquet.File, r io.ReaderAt, end int64, lim limits) *pageCheck {
	p := &pageCheck{f: r, size: f.Size(), end: end, limit: lim.total}
	var leaves func(c *parquet.Column)
	leaves = func(c *parquet.Column) {
		if !c.Leaf() {
			for _, child := range c.Columns() {
				leaves(child)
			}
			return
		}
		t := c.Type()
		width := int64(4) // of a byte array: where it begins
		if t.Kind() != parquet.ByteArray {
			width = int64(t.Length()+7) / 8
		}
		if t.Kind() == parquet.FixedLenByteArray {
			width = int64(t.Length())
		}
		p.columns = append(p.columns, pageColumn{columnName(c.Path()), t.Kind(), max(width, 4), c.MaxRepetitionLevel(), c.MaxDefinitionLevel()})
	}
	leaves(f.Root())
	return p
}

// group checks the pages of a row group.
func (p *pageCheck) group(g *format.RowGroup) error {
	for i := range g.Columns {
		if err := p.chunk(&p.columns[i], &g.Columns[i].MetaData); err != nil {
			return fmt.Errorf("column %q, %w", p.columns[i].name, err)
		}
	}
	return nil
}

// chunk checks the pages of a column in a row group.
func (p *pageCheck) chunk(c *pageColumn, m *format.ColumnMetaData) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 0 || at > p.end || m.TotalCompressedSize < 0 || m.TotalCompressedSize > p.end-at {
		return fmt.Errorf("its pages would be bytes %d to %d, the file's pages end at %d", at, at+m.TotalCompressedSize, p.end)
	}
	for end := at + m.TotalCompressedSize; at < end; {
		h, n, err := p.header(at, end)
		if err == nil && int64(h.CompressedPageSize) > end-at-int64(n) {
			err = fmt.Errorf("it would have %d bytes, %d are left of its column", h.CompressedPageSize, end-at-int64(n))
		}
		if err == nil {
			err = p.page(c, m.Codec, h, at+int64(n))
		}
		if err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		at += int64(n) + int64(h.CompressedPageSize)
	}
	return nil
}

// header decodes the header at an offset.
func (p *pageCheck) header(at, end int64) (*format.PageHeader, int, error) {
	for room := int64(firstHeader); ; room *= 8 {
		b := make([]byte, min(room, end-at, maxHeader))
		if err := readAll(p.f, b, at); err != nil {
			return nil, 0, err
		}
		h, n, err := pageHeader(b)
		if err == nil {
			return h, n, checkHeader(h)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || int64(len(b)) < room {
			return nil, 0, fmt.Errorf("its header: %w", err)
		}
	}
}

// checkHeader looks for what contradicts itself.
func checkHeader(h *format.PageHeader) error {
	v1, v2, dict := h.DataPageHeader.Valid, h.DataPageHeaderV2.Valid, h.DictionaryPageHeader.Valid
	one := map[format.PageType]bool{format.DataPage: v1 && !v2 && !dict, format.DataPageV2: v2 && !v1 && !dict, format.DictionaryPage: dict && !v1 && !v2}
	if !one[h.Type] {
		return fmt.Errorf("its header is not that of a %v", h.Type)
	}
	least := min(h.CompressedPageSize, h.UncompressedPageSize, h.DataPageHeader.V.NumValues, h.DictionaryPageHeader.V.NumValues)
	d := &h.DataPageHeaderV2.V
	if min(least, d.NumValues, d.NumNulls, d.NumRows, d.RepetitionLevelsByteLength, d.DefinitionLevelsByteLength) < 0 {
		return errors.New("its header has a count below zero")
	}
	if int64(d.RepetitionLevelsByteLength)+int64(d.DefinitionLevelsByteLength) > int64(h.CompressedPageSize) {
		return errors.New("its levels are longer than it is")
	}
	return nil
}

// page checks a page whose body begins at an offset.
func (p *pageCheck) page(c *pageColumn, codec format.CompressionCodec, h *format.PageHeader, at int64) error {
	values := int64(max(h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues, h.DictionaryPageHeader.V.NumValues))
	each := c.width + 2 // and its levels
	if c.repetition > 0 {
		each += repeatedValue
	}
	if values > 0 && each > math.MaxInt64/2/values {
		return fmt.Errorf("%d values of %d bytes", values, each)
	}
	if err := p.claim(int64(h.UncompressedPageSize) + values*each); err != nil {
		return err
	}
	body := make([]byte, h.CompressedPageSize)
	if err := readAll(p.f, body, at); err != nil {
		return err
	}
	b := pageBody{column: c, values: int(values), claim: p.claim}
	switch h.Type {
	case format.DictionaryPage:
		if e := h.DictionaryPageHeader.V.Encoding; e != format.Plain && e != plainDictionary {
			return fmt.Errorf("its dictionary has the encoding %v", e)
		}
		_, err := p.inflater.inflate(codec, body, int(h.UncompressedPageSize))
		return err
	case format.DataPage:
		body, err := p.inflater.inflate(codec, body, int(h.UncompressedPageSize))
		if err != nil {
			return err
		}
		return b.v1(body, &h.DataPageHeader.V)
	}
	d := &h.DataPageHeaderV2.V
	levels := int(d.RepetitionLevelsByteLength + d.DefinitionLevelsByteLength)
	data := body[levels:]
	if !d.IsCompressed.Valid || d.IsCompressed.V {
		var err error
		if data, err = p.inflater.inflate(codec, data, int(h.UncompressedPageSize)-levels); err != nil {
			return err
		}
	}
	return b.v2(body[:levels], data, d)
}

// claim adds to the memory that pages take.
func (p *pageCheck) claim(n int64) error {
	if n > p.limit {
		return fmt.Errorf("it takes %d bytes, over the limit of %d", n, p.limit)
	}
	if p.claimed += n; isBomb(p.claimed, p.size) {
		return fmt.Errorf("the pages up to here would take %d bytes, the file has %d: this looks like a bomb", p.claimed, p.size)
	}
	return nil
}
