package dataset

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"lockstep/internal/source"
	"lockstep/internal/spec"
)

// folderReader reads folders of image files: the folder that a file is in, below the split's own, is its class. Files
// right in the split's folder have no class, and then none may have one.
type folderReader struct {
	src     source.Tree
	lim     limits
	image   spec.Image
	classes []string // in class order
	size    [2]int   // height and width, settled by the first image
}

var imageEndings = []string{".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}

// imageRecords are images, each from a file of its own.
type imageRecords struct {
	*arrayRecords
	paths []string
}

func (r *imageRecords) place(i int) (string, int) { return r.paths[i], 1 }

func newFolderReader(src source.Tree, lim limits, d *spec.Dataset) *folderReader {
	r := &folderReader{src: src, lim: lim, image: spec.Image{ColorMode: "rgb"}}
	if d.Image != nil {
		r.image = *d.Image
	}
	if s := r.image.Size; s != nil {
		r.size = [2]int{s[0], s[1]}
	}
	return r
}

func (r *folderReader) channels() int {
	if r.image.ColorMode == "grayscale" {
		return 1
	}
	return 3
}

func (r *folderReader) read(ctx context.Context, _ string, files spec.Files) (*part, error) {
	if files.Images != "" || files.Labels != "" {
		return nil, errors.New(`an image_folder dataset names its folder as "file", not as "images" and "labels"`)
	}
	names, labels, err := r.list(ctx, files.File)
	if err != nil {
		return nil, err
	}
	a := &array{element: integerElement(1, false, nil), n: len(names)}
	recs := &imageRecords{paths: make([]string, len(names))}
	for i, name := range names {
		pixels, err := r.decode(ctx, name, &recs.paths[i])
		if err != nil {
			return nil, err
		}
		if i == 0 {
			a.dims, a.elements = []int{r.size[0], r.size[1], r.channels()}, len(pixels)
			a.perBlock = max(1, arrayBlock/a.elements)
			if r.lim.space != nil {
				a.store = r.lim.space.Store(a.elements)
			}
		}
		if int64(i+1)*int64(a.elements) > r.lim.total {
			return nil, &RecordError{File: recs.paths[i], Err: fmt.Errorf("more than %d bytes of images", r.lim.total)}
		}
		if a.store != nil {
			record, err := a.store.Add()
			if err != nil {
				return nil, err
			}
			copy(record, pixels)
			continue
		}
		if i%a.perBlock == 0 {
			a.blocks = append(a.blocks, make([]byte, 0, min(a.perBlock, a.n-i)*a.elements))
		}
		b := &a.blocks[len(a.blocks)-1]
		*b = append(*b, pixels...)
	}
	recs.arrayRecords = newArrayRecords(a)
	p := numericPart(recs)
	p.targets.labels = labels
	return p, nil
}

// list finds the images of a folder, class by class and by name, and the class of each; labels are nil without classes.
func (r *folderReader) list(ctx context.Context, folder string) (names []string, labels []int32, err error) {
	all, err := r.src.List(ctx, folder)
	if err != nil {
		return nil, nil, err
	}
	classOf := map[string]string{}
	bare := "" // an image without a class
	for _, name := range all {
		if !slices.Contains(imageEndings, strings.ToLower(path.Ext(name))) || strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		names = append(names, name)
		class, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, strings.TrimSuffix(folder, "/")), "/"), "/")
		if !ok {
			class, bare = "", name
		}
		classOf[name] = class
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("no images in %q: want files named %s", folder, strings.Join(imageEndings, ", "))
	}
	var found []string
	for _, class := range classOf {
		found = append(found, class)
	}
	slices.Sort(found)
	if found = slices.Compact(found); bare != "" {
		if len(found) > 1 {
			return nil, nil, fmt.Errorf("image %q is in no folder, others are: the folder is the class", bare)
		}
		return names, nil, nil
	}
	sortValues(found)
	if r.classes == nil {
		if len(found) > r.lim.values {
			return nil, nil, fmt.Errorf("%d classes, over the limit of %d", len(found), r.lim.values)
		}
		r.classes = found
	}
	number := newValues(r.classes).number
	slices.SortStableFunc(names, func(a, b string) int { return number[classOf[a]] - number[classOf[b]] })
	for _, name := range names {
		c, ok := number[classOf[name]]
		if !ok {
			return nil, nil, fmt.Errorf("folder %q is not among the classes of the training files: %s", classOf[name], listed(r.classes))
		}
		labels = append(labels, int32(c))
	}
	return names, labels, nil
}
