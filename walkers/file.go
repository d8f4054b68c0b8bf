package walkers

import (
	"errors"
	"io"
	"reflect"

	"github.com/walkergate/walkergate/specs"
)

// File is one file that a walker was sent over HTTP, as a part of a multipart
// body. A field of a context may be a File, a *File or a []File. The zero
// value is no file.
type File struct {
	// Name and ContentType are what the sender claimed. Neither is to be
	// trusted: Name is no path.
	Name        string
	ContentType string
	// Size is in bytes.
	Size int64

	open func() (io.ReadCloser, error)
}

// NewFile makes a file whose content comes from open, which may be called any
// number of times, also concurrently.
func NewFile(name, contentType string, size int64, open func() (io.ReadCloser, error)) File {
	return File{Name: name, ContentType: contentType, Size: size, open: open}
}

// Open gives the content, which the caller must close. It works while the
// walker runs; once the run was answered the content may be gone.
func (f File) Open() (io.ReadCloser, error) {
	if f.open == nil {
		return nil, errors.New("walkers: no file was sent")
	}
	return f.open()
}

var fileType = reflect.TypeFor[File]()

// Reasons that clients read where files go wrong.
const (
	reasonNoFiles  = "files are not taken over the socket"
	reasonFile     = "expected file"
	reasonOneFile  = "expected one file"
	reasonRequired = "required"
)

// takeFiles stores the files sent for a field.
func (f *field) takeFiles(d *decoding, into reflect.Value, files []File, seen *bool) error {
	if len(files) == 0 {
		return nil
	}
	*seen = true
	target := f.in(into)
	switch {
	case f.Kind == specs.List:
		target.Set(reflect.ValueOf(files))
	case len(files) > 1:
		return d.noteAt(f.Name, reasonOneFile)
	case target.Kind() == reflect.Pointer:
		file := files[0]
		target.Set(reflect.ValueOf(&file))
	default:
		target.Set(reflect.ValueOf(files[0]))
	}
	return nil
}
