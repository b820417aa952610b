package main

import (
	"encoding/json"
	"image/png"
	"os"
	"strings"
	"testing"
)

// twoImages is an idx file of two images of 2x4 pixels, 16 to 128.
const twoImages = "\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x04" +
	"\x00\x10\x20\x30\x40\x50\x60\x70\x70\x60\x50\x40\x30\x20\x10\x00"

func TestInspect(t *testing.T) {
	noEnvironment(t)
	inFolder(t)
	write(t, "flowers.csv", "size,kind\n1,rose\n2,lily\n3,rose\n")
	target := "dataset.target={column: kind, type: category}"
	r := command(t, "dataset", "inspect", "flowers.csv", "--set", target, "--samples", "2")
	r.want(t, 0, []string{"format        csv", "3 train, 0 val, 0 test", "one of 2 classes", "rose    2       0     0", "size     number", "flowers.csv:1   rose     1", "sha256:"}, nil)

	var got struct {
		Format  string
		Shape   []int
		Classes []struct {
			Name  string
			Train int
		}
		Splits []struct {
			Split   string
			Records int
			Shards  []struct{ Records int }
		}
		Samples []struct{ Target, Input string }
	}
	r = command(t, "dataset", "inspect", "flowers.csv", "--set", target, "--set", "dataset.shard_records=2", "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Shape[0] != 1 || got.Classes[1].Train != 2 || len(got.Splits[0].Shards) != 2 || got.Splits[0].Shards[1].Records != 1 || got.Samples[2].Input != "3" {
		t.Errorf("%+v", got)
	}
}

func TestInspectDraws(t *testing.T) {
	noEnvironment(t)
	inFolder(t)
	write(t, "a.idx", twoImages)
	r := command(t, "dataset", "inspect", "a.idx", "--draw", "--png", "a.png")
	r.want(t, 0, []string{"numbers of shape [2 4 1]", "\n:-+* *+-:\n"}, []string{"2 images of train are in a.png"})
	f, err := os.Open("a.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := png.Decode(f)
	if err != nil || im.Bounds().Dx() != 2*(4*16+1)-1 || im.Bounds().Dy() != 2*16 {
		t.Fatalf("%v %v", im.Bounds(), err)
	}
	if v, _, _, _ := im.At(3*16+15, 31).RGBA(); v != 0xffff {
		t.Errorf("the brightest pixel is %#x", v)
	}
}

func TestInspectRefuses(t *testing.T) {
	noEnvironment(t)
	inFolder(t)
	write(t, "flowers.csv", "size\nlarge\n")
	write(t, "good.csv", "size\n1\n")
	write(t, "what", "")
	for args, c := range map[string]struct {
		code int
		want string
	}{
		"nowhere.csv":              {codeNotFound, "nowhere.csv: no such file"},
		"what":                     {codeUsage, "say --format csv|"},
		"flowers.csv":              {codeError, `flowers.csv: record 1 (line 2), column "size": "large" is not a number`},
		"good.csv --draw":          {codeError, "the records are no images"},
		"good.csv --png a.png":     {codeError, "the records are no images"},
		"good.csv --split all":     {codeUsage, `--split "all": want train, val or test`},
		"good.csv --samples -1":    {codeUsage, "want at least 0"},
		"good.csv --format tables": {codeUsage, `unknown dataset format "tables"`},
	} {
		r := command(t, append([]string{"dataset", "inspect"}, strings.Fields(args)...)...)
		r.want(t, c.code, nil, []string{c.want})
	}
}
