// Package reference writes the reference pages: of the command line from its commands, of the specification from its
// JSON Schema. The pages are Markdown, and depend on nothing else.
package reference
