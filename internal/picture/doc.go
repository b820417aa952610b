// Package picture draws records that are images: as a sheet in a PNG file, or in a terminal with half blocks.
package picture
