package spec

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ResolveSource turns the paths of dataset.source and init_from.file that are not URLs into file:// URLs. A relative
// path starts at the directory of the specification's file; "-" stands for the working directory.
func (j *Job) ResolveSource(file string) error {
	dir := filepath.Dir(file)
	paths := []*string{&j.Spec.Dataset.Source}
	if f := j.Spec.InitFrom; f != nil && f.File != "" {
		paths = append(paths, &f.File)
	}
	for _, p := range paths {
		if strings.Contains(*p, "://") {
			continue
		}
		path := *p
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return fmt.Errorf("resolve path %q: %w", *p, err)
		}
		*p = (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String()
	}
	return nil
}

// LocalPath gives the path of a file:// URL, and whether source is one.
func LocalPath(source string) (string, bool) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	return filepath.FromSlash(u.Path), true
}

// CheckFiles reports files and folders that a job names on this machine and that do not exist, as errors at the place
// where file's text names them. j is what Parse made of the same text, after ResolveSource. Sources elsewhere are not
// looked at.
func CheckFiles(file string, text []byte, j *Job) error {
	d, err := read(file, text)
	if err != nil {
		return err
	}
	s := &j.Spec.Dataset
	if root, ok := LocalPath(s.Source); ok && d.exists(root, "/spec/dataset/source") {
		for name, f := range map[string]*Files{"train": &s.Train, "val": s.Val, "test": s.Test} {
			if f == nil {
				continue
			}
			for key, path := range map[string]string{"images": f.Images, "labels": f.Labels, "file": f.File} {
				if path != "" {
					d.exists(filepath.Join(root, path), "/spec/dataset/"+name+"/"+key)
				}
			}
		}
	}
	if f := j.Spec.InitFrom; f != nil {
		if path, ok := LocalPath(f.File); ok {
			d.exists(path, "/spec/init_from/file")
		}
	}
	return d.err()
}

// exists notes a fault at ptr if path does not exist, with the nearest name in the deepest folder that does.
func (d *document) exists(path, ptr string) bool {
	if _, err := os.Stat(path); err == nil {
		return true
	} else if !os.IsNotExist(err) && !strings.Contains(err.Error(), "not a directory") {
		d.faultValue(ptr, err.Error(), "")
		return false
	}
	missing, dir := path, filepath.Dir(path)
	for dir != filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			break
		}
		missing, dir = dir, filepath.Dir(dir)
	}
	var names []string
	entries, _ := os.ReadDir(dir) // a folder that cannot be read gives no hint
	for _, e := range entries {
		names = append(names, e.Name())
	}
	hint := ""
	if _, err := os.Stat(missing); err == nil {
		hint = fmt.Sprintf("%s is not a folder", missing)
	} else if n := nearest(filepath.Base(missing), names); n != "" {
		hint = fmt.Sprintf("did you mean %q?", filepath.Join(dir, n)+strings.TrimPrefix(path, missing))
	} else if missing != path {
		hint = fmt.Sprintf("%s does not exist", missing)
	}
	d.faultValue(ptr, path+" does not exist", hint)
	return false
}

// DatasetScheme begins the source of a dataset that was pushed to the cluster; its name follows.
const DatasetScheme = "dataset://"

var validName = regexp.MustCompile(`^[a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?$`)

// ValidName reports whether a pushed dataset may have this name.
func ValidName(name string) bool { return validName.MatchString(name) }
