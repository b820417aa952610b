// Package web is the page that every coordinator serves: plain HTML, style sheet and ES modules, as they are in assets.
// They read the coordinator's JSON under /api/v1 and are told of changes by its stream /api/v1/changes.
package web

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed assets
var files embed.FS

// policy keeps the page from loading or telling anything elsewhere, but for asking another coordinator whether it is
// ready. Nothing in a page's text is run or styled: scripts and styles are files of their own.
const policy = "default-src 'self'; connect-src *; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page serves the page under /.
func Page() http.Handler {
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		panic(err) // "assets" is a valid name
	}
	serve := http.FileServerFS(assets)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	})
}
