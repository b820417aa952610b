package dataset

import (
	"encoding/hex"
	"math"
)

// Summary is what can be told of a dataset in figures.
type Summary struct {
	Shape         []int     `json:"shape"`
	Input         string    `json:"input"`      // numbers | ids
	Vocabulary    int       `json:"vocabulary"` // ids there are; 0 for numbers
	Target        string    `json:"target"`     // classes | numbers | itself
	TargetShape   []int     `json:"target_shape,omitempty"`
	Fingerprint   string    `json:"fingerprint"` // sha256:...
	Least         float64   `json:"least"`       // of the training split's inputs, preprocessed
	Greatest      float64   `json:"greatest"`
	Mean          float64   `json:"mean"`
	Classes       []Class   `json:"classes,omitempty"`
	Columns       []Column  `json:"columns,omitempty"`
	Splits        []Records `json:"splits"`
	Preprocessing any       `json:"preprocessing,omitempty"`
}

// Class is a class with the records, or tokens of a text, that each split has of it.
type Class struct {
	Name  string `json:"name"`
	Train int    `json:"train"`
	Val   int    `json:"val"`
	Test  int    `json:"test"`
}

// Records is a split and where its shards come from.
type Records struct {
	Split   string  `json:"split"`
	Records int     `json:"records"`
	Shards  []Shard `json:"shards,omitempty"` // of the training split
}

// Shard is a contiguous range of a split's records.
type Shard struct {
	Shard       int    `json:"shard"`
	First       int    `json:"first"` // record of the split, from 0
	Records     int    `json:"records"`
	File        string `json:"file"`        // of its first record
	FirstInFile int    `json:"record"`      // from 1
	LastFile    string `json:"last_file"`   // of its last one
	LastInFile  int    `json:"last_record"` // from 1
}

// summaryBatch is the number of records that are read together.
const summaryBatch = 256

// Summary reads all records once. A shard has at most shardRecords of them.
func (d *Dataset) Summary(shardRecords int) (Summary, error) {
	i := &d.info
	s := Summary{Shape: i.Shape, Input: "numbers", Vocabulary: i.Vocab, Target: "numbers", TargetShape: i.TargetShape,
		Fingerprint: "sha256:" + hex.EncodeToString(i.Fingerprint[:]), Columns: i.Columns}
	if len(i.Preprocessing) > 0 {
		s.Preprocessing = i.Preprocessing
	}
	if i.Integer {
		s.Input = "ids"
	}
	switch p := d.splits["train"].part; {
	case i.ClassCount > 0:
		s.Target = "classes"
	case p.targets.width == 0:
		s.Target = "itself"
	}
	for k := range i.ClassCount {
		s.Classes = append(s.Classes, Class{Name: i.Token(int32(k))})
	}
	for _, name := range splitNames {
		split := d.splits[name]
		r := Records{Split: name, Records: split.Len()}
		if name == "train" {
			r.Shards = split.shards(shardRecords)
		}
		s.Splits = append(s.Splits, r)
		if err := s.count(split, name); err != nil {
			return s, err
		}
	}
	return s, nil
}

// count adds the records of a split.
func (s *Summary) count(split *Split, name string) error {
	var b Batch
	least, greatest, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0
	for at := 0; at < split.Len(); at += summaryBatch {
		records := make([]int, min(summaryBatch, split.Len()-at))
		for i := range records {
			records[i] = at + i
		}
		if err := split.readInputs(&b, records); err != nil {
			return err
		}
		split.readTargets(&b, records)
		for _, l := range b.Labels {
			c := &s.Classes[l]
			*map[string]*int{"train": &c.Train, "val": &c.Val, "test": &c.Test}[name]++
		}
		for _, x := range b.X {
			v := float64(x)
			least, greatest, sum, n = min(least, v), max(greatest, v), sum+v, n+1
		}
	}
	if name == "train" && n > 0 {
		s.Least, s.Greatest, s.Mean = least, greatest, sum/float64(n)
	}
	return nil
}

// shards cuts a split as training does.
func (s *Split) shards(size int) []Shard {
	var all []Shard
	for at := 0; at < s.Len(); at += size {
		n := min(size, s.Len()-at)
		file, first := s.Record(at)
		lastFile, last := s.Record(at + n - 1)
		all = append(all, Shard{Shard: len(all), First: at, Records: n, File: file, FirstInFile: first, LastFile: lastFile, LastInFile: last})
	}
	return all
}

// Token is the name of a class, or the text of a token.
func (i *Info) Token(id int32) string {
	if i.Classes != nil {
		return i.Classes[id]
	}
	return string(newBPE(i.Merges).appendToken(nil, id))
}
