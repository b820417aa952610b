package console

import (
	"io"
	"strings"
	"unicode/utf8"
)

const gap = "   " // between columns

// Column is the head of a table's column.
type Column struct {
	Name  string
	Wide  bool                     // only in the Wide format
	Style func(cell string) string // dresses a cell without changing its width; may be nil
}

// Grid is a table of cells under column heads.
type Grid struct {
	Columns []Column
	Rows    [][]string // each as long as Columns
}

// Add appends a row.
func (g *Grid) Add(cells ...string) { g.Rows = append(g.Rows, cells) }

// Write prints the head and the rows, columns padded to their widest cell. An empty cell shows as "-", so that every
// line has the same number of fields. wide includes the wide columns.
func (g *Grid) Write(w io.Writer, wide bool) error {
	var shown []int
	for i, c := range g.Columns {
		if wide || !c.Wide {
			shown = append(shown, i)
		}
	}
	widths := make([]int, len(g.Columns))
	for i, c := range g.Columns {
		widths[i] = utf8.RuneCountInString(c.Name)
		for _, row := range g.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell(row[i])))
		}
	}
	var b strings.Builder
	for n, i := range shown {
		writeCell(&b, g.Columns[i].Name, nil, widths[i], n == len(shown)-1)
	}
	for _, row := range g.Rows {
		for n, i := range shown {
			writeCell(&b, cell(row[i]), g.Columns[i].Style, widths[i], n == len(shown)-1)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func cell(s string) string {
	if s == "" {
		return "-"
	}
	return oneLine(s)
}

// oneLine keeps what others wrote (names, reasons, addresses) from breaking lines or commanding the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

func writeCell(b *strings.Builder, text string, style func(string) string, width int, last bool) {
	pad := width - utf8.RuneCountInString(text)
	if style != nil {
		text = style(text)
	}
	b.WriteString(text)
	if last {
		b.WriteByte('\n')
		return
	}
	b.WriteString(strings.Repeat(" ", pad))
	b.WriteString(gap)
}

// Facts is a list of names with their values, for one thing.
type Facts [][2]string

// Add appends a fact, unless its value is empty.
func (f *Facts) Add(name, value string) {
	if value != "" {
		*f = append(*f, [2]string{name, value})
	}
}

// Write prints one fact a line, the values under one another.
func (f Facts) Write(w io.Writer) error {
	width := 0
	for _, fact := range f {
		width = max(width, utf8.RuneCountInString(fact[0]))
	}
	var b strings.Builder
	for _, fact := range f {
		writeCell(&b, fact[0], nil, width, false)
		b.WriteString(strings.ReplaceAll(fact[1], "\n", "\n"+strings.Repeat(" ", width)+gap))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
