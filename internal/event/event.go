package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	specVersion = "1.0"
	jsonType    = "application/json"
)

// Event is a CloudEvents 1.0 event with JSON data.
type Event struct {
	ID      string          // unique within Source; not empty
	Source  string          // URI reference of who tells it, such as /lockstep/cluster; not empty
	Type    string          // what happened, such as lockstep.job.state; not empty
	Subject string          // what it happened to, such as a job's id; may be empty
	Time    time.Time       // when; zero is left out
	Data    json.RawMessage // any JSON value; empty is left out
}

// wire is the JSON form, in the order in which it is written.
type wire struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            string          `json:"time,omitempty"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
}

// Encode returns e in the CloudEvents JSON format, compact. The bytes are a pure function of e.
func Encode(e Event) ([]byte, error) {
	w := wire{SpecVersion: specVersion, ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Data: e.Data}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if len(e.Data) > 0 {
		w.DataContentType = jsonType
	}
	if !e.Time.IsZero() {
		t, err := e.Time.UTC().MarshalText() // RFC 3339; an error for years that it cannot write
		if err != nil {
			return nil, fmt.Errorf("encode event: %w", err)
		}
		w.Time = string(t)
	}
	out, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return out, nil
}

// Decode reads what Encode writes, in any order and spacing. It refuses attributes that it does not know, that come twice
// or have another type than string, data that is not JSON, and text after the event.
func Decode(data []byte) (Event, error) {
	w, err := parse(data)
	if err == nil {
		err = w.check()
	}
	var t time.Time
	if err == nil && w.Time != "" {
		t, err = parseTime(w.Time)
	}
	if err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	return Event{ID: w.ID, Source: w.Source, Type: w.Type, Subject: w.Subject, Time: t, Data: w.Data}, nil
}

// parseTime reads RFC 3339. In UTC it must be a time that Encode can write.
func parseTime(text string) (t time.Time, err error) {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return time.Time{}, err
	}
	t = t.UTC()
	_, err = t.MarshalText()
	return t, err
}

func (w *wire) check() error {
	switch {
	case w.SpecVersion != specVersion:
		return fmt.Errorf("specversion %q is not %q", w.SpecVersion, specVersion)
	case w.ID == "" || w.Source == "" || w.Type == "":
		return errors.New("id, source and type must not be empty")
	case !utf8.ValidString(strings.Join([]string{w.ID, w.Source, w.Type, w.Subject}, " ")):
		return errors.New("id, source, type or subject is not UTF-8")
	case w.DataContentType != "" && w.DataContentType != jsonType:
		return fmt.Errorf("datacontenttype %q is not %q", w.DataContentType, jsonType)
	}
	return nil
}

// parse reads the object key by key: unmarshalling into a struct would take "ID" for id and the last of two.
func parse(data []byte) (wire, error) {
	var w wire
	attributes := map[string]*string{
		"specversion": &w.SpecVersion, "id": &w.ID, "source": &w.Source, "type": &w.Type,
		"subject": &w.Subject, "time": &w.Time, "datacontenttype": &w.DataContentType,
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return w, errors.Join(errors.New("not a JSON object"), err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return w, err
		}
		if key == "data" && w.Data == nil {
			err = dec.Decode(&w.Data)
		} else {
			name, _ := key.(string)
			err = parseAttribute(dec, attributes, name)
		}
		if err != nil {
			return w, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return w, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return w, errors.New("text after the event")
	}
	return w, nil
}

// parseAttribute reads the value of the attribute name and takes it off the list, so that it cannot come again.
func parseAttribute(dec *json.Decoder, attributes map[string]*string, name string) error {
	dst := attributes[name]
	if dst == nil {
		return fmt.Errorf("attribute %q is unknown or comes twice", name)
	}
	delete(attributes, name)
	value, err := dec.Token()
	if err != nil {
		return err
	}
	s, ok := value.(string)
	if !ok || s == "" {
		return fmt.Errorf("attribute %q is not a string with text", name)
	}
	*dst = s
	return nil
}
