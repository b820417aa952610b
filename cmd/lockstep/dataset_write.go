package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"lockstep/internal/console"
)

// mostRows is the number of classes, values or shards that a table lists; -o wide lists all.
const mostRows = 20

// write writes an inspection for people to read.
func (in *inspection) write(w io.Writer, wide bool) error {
	if err := in.facts().Write(w); err != nil {
		return err
	}
	for _, g := range []struct {
		title string
		grid  *console.Grid
	}{{"Columns", in.columns()}, {"Classes", in.classes()}, {"Shards", in.shards()}, {"Records", in.records()}} {
		if len(g.grid.Rows) == 0 {
			continue
		}
		left := len(g.grid.Rows) - mostRows
		if !wide && left > 1 {
			g.grid.Rows = g.grid.Rows[:mostRows]
		}
		fmt.Fprintf(w, "\n%s\n", g.title)
		if err := g.grid.Write(w, wide); err != nil {
			return err
		}
		if !wide && left > 1 {
			fmt.Fprintf(w, "and %d more: -o wide\n", left)
		}
	}
	return nil
}

func (in *inspection) facts() *console.Facts {
	var f console.Facts
	f.Add("source", in.Source)
	f.Add("format", in.Format)
	var splits []string
	for _, s := range in.Splits {
		splits = append(splits, fmt.Sprintf("%d %s", s.Records, s.Split))
	}
	f.Add("records", strings.Join(splits, ", "))
	f.Add("input", fmt.Sprintf("%s of shape %v", in.Input, in.Shape))
	if in.Vocabulary > 0 {
		f.Add("vocabulary", fmt.Sprint(in.Vocabulary))
	} else {
		f.Add("range", fmt.Sprintf("%.6g to %.6g, mean %.6g", in.Least, in.Greatest, in.Mean))
	}
	target := map[string]string{"classes": fmt.Sprintf("one of %d classes", len(in.Classes)), "itself": "the record itself"}[in.Target]
	if target == "" {
		target = fmt.Sprintf("numbers of shape %v", in.TargetShape)
	}
	f.Add("target", target)
	f.Add("fingerprint", in.Fingerprint)
	return &f
}

func (in *inspection) columns() *console.Grid {
	g := &console.Grid{Columns: []console.Column{{Name: "COLUMN"}, {Name: "TYPE"}, {Name: "PREPROCESSING"}, {Name: "CENTER"}, {Name: "SCALE"}, {Name: "VALUES"}}}
	for _, c := range in.Columns {
		center, scale := "", ""
		if len(c.Centers) > 0 {
			center, scale = figures(c.Centers), figures(c.Scales)
		} else if c.Preprocessing != "" {
			center, scale = fmt.Sprintf("%.6g", c.Center), fmt.Sprintf("%.6g", c.Scale)
		}
		values := strings.Join(c.Values[:min(len(c.Values), mostShown)], ", ")
		if len(c.Values) > mostShown {
			values += fmt.Sprintf(" and %d more", len(c.Values)-mostShown)
		}
		g.Add(c.Name, c.Type, c.Preprocessing, center, scale, values)
	}
	return g
}

// figures are the first few numbers of a list.
func figures(list []float64) string {
	var b strings.Builder
	for i, v := range list[:min(len(list), mostShown)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.6g", v)
	}
	if len(list) > mostShown {
		fmt.Fprintf(&b, " and %d more", len(list)-mostShown)
	}
	return b.String()
}

func (in *inspection) classes() *console.Grid {
	g := &console.Grid{Columns: []console.Column{{Name: "CLASS"}, {Name: "TRAIN"}, {Name: "VAL"}, {Name: "TEST"}}}
	for _, c := range in.Classes {
		name := c.Name
		if in.Input == "ids" {
			name = fmt.Sprintf("%q", name)
		}
		g.Add(name, fmt.Sprint(c.Train), fmt.Sprint(c.Val), fmt.Sprint(c.Test))
	}
	return g
}

func (in *inspection) shards() *console.Grid {
	g := &console.Grid{Columns: []console.Column{{Name: "SHARD"}, {Name: "FIRST"}, {Name: "RECORDS"}, {Name: "FROM"}, {Name: "TO"}}}
	for _, s := range in.Splits[0].Shards {
		g.Add(fmt.Sprint(s.Shard), fmt.Sprint(s.First), fmt.Sprint(s.Records), fmt.Sprintf("%s:%d", filepath.Base(s.File), s.FirstInFile), fmt.Sprintf("%s:%d", filepath.Base(s.LastFile), s.LastInFile))
	}
	return g
}

func (in *inspection) records() *console.Grid {
	g := &console.Grid{Columns: []console.Column{{Name: "RECORD"}, {Name: "FROM"}, {Name: "TARGET"}, {Name: "INPUT"}}}
	for _, s := range in.Samples {
		g.Add(fmt.Sprint(s.Record), fmt.Sprintf("%s:%d", filepath.Base(s.File), s.InFile), s.Target, s.Input)
	}
	return g
}
