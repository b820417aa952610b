package job

import (
	"bytes"
	"encoding/hex"
	"time"

	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// datasetKey sorts the versions of a dataset beside one another.
func datasetKey(name string, root []byte) string { return name + "\x00" + string(root) }

// setDataset makes a version the dataset of its name. One that it replaces stays as long as a job that has not ended
// reads it.
func (a *applying) setDataset(c *lockstepv1.SetDataset) {
	d := proto.CloneOf(c.Dataset)
	old := a.Dataset(d.Name)
	a.result.Id = d.Name
	if old != nil && bytes.Equal(old.Root, d.Root) {
		return // nothing new
	}
	if old != nil {
		replaced := proto.CloneOf(old)
		replaced.Replaced = true
		a.datasets[datasetKey(old.Name, old.Root)] = replaced
	}
	d.PushedMs, d.Replaced = a.now, false
	a.datasets[datasetKey(d.Name, d.Root)] = d
	if old != nil {
		a.dropReplaced(old.Root)
	}
	a.datasetEvent(d, "PUSHED")
}

// deleteDataset forgets a dataset, unless a job needs it.
func (a *applying) deleteDataset(c *lockstepv1.DeleteDataset) {
	d := a.Dataset(c.Name)
	if d == nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_NOT_FOUND, "no dataset %q", c.Name)
		return
	}
	if j := a.readerOf(d.Root); j != nil {
		a.refuse(lockstepv1.Refusal_REFUSAL_CONFLICT, "job %s reads dataset %q and has not ended: it is %s", j.Id, c.Name, StateName(j.State))
		return
	}
	delete(a.datasets, datasetKey(d.Name, d.Root))
	a.datasetEvent(d, "DELETED")
}

// dropReplaced forgets what was replaced and no job needs any more.
func (a *applying) dropReplaced(root []byte) {
	if len(root) == 0 || a.readerOf(root) != nil {
		return
	}
	for key, d := range a.datasets { // in any order: what is deleted does not depend on it
		if d.Replaced && bytes.Equal(d.Root, root) {
			delete(a.datasets, key)
		}
	}
}

// readerOf returns the first job that reads this version and has not ended.
func (s *State) readerOf(root []byte) *lockstepv1.Job {
	for _, j := range s.Jobs() {
		if !Ended(j.State) && bytes.Equal(j.DatasetRoot, root) {
			return j
		}
	}
	return nil
}

func (a *applying) datasetEvent(d *lockstepv1.Dataset, state string) {
	a.emit("", "lockstep.v1.dataset."+d.Name+".state", "lockstep.dataset.state",
		datasetData{State: state, Root: hex.EncodeToString(d.Root), Files: d.Files, Size: d.Size})
}

// Dataset returns the dataset of a name, or nil.
func (s *State) Dataset(name string) *lockstepv1.Dataset {
	for _, d := range s.datasets { // in any order: at most one is not replaced
		if d.Name == name && !d.Replaced {
			return d
		}
	}
	return nil
}

// DatasetVersion returns a dataset with this root: they are all alike, the first by name.
func (s *State) DatasetVersion(root []byte) *lockstepv1.Dataset {
	for _, d := range s.Datasets() {
		if bytes.Equal(d.Root, root) {
			return d
		}
	}
	return nil
}

// Datasets returns all versions of all datasets, sorted by name and root.
func (s *State) Datasets() []*lockstepv1.Dataset { return sorted(s.datasets) }

// DatasetView is a pushed dataset as users read it.
type DatasetView struct {
	Name   string    `json:"name"`
	Source string    `json:"source"` // for a specification
	Root   string    `json:"root"`
	Files  uint64    `json:"files"`
	Size   int64     `json:"size"` // bytes
	Pushed time.Time `json:"pushed,omitzero"`
}

// DatasetViewOf shows a dataset.
func DatasetViewOf(d *lockstepv1.Dataset) DatasetView {
	return DatasetView{Name: d.GetName(), Source: "dataset://" + d.GetName(), Root: "sha256:" + hex.EncodeToString(d.GetRoot()),
		Files: d.GetFiles(), Size: d.GetSize(), Pushed: unixMilli(d.GetPushedMs())}
}
