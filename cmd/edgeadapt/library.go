package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/library"
	"github.com/spf13/cobra"
)

// libraryFlags are the options of adapters list and adapters search.
type libraryFlags struct {
	dir      string
	backbone string
	top      int
	json     bool
}

func (f *libraryFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.backbone, "backbone", "", "backbone file that FITS is about (default: the built-in ViT-S/14)")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

func (a *app) adaptersList() *cobra.Command {
	f := &libraryFlags{}
	c := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List the adapter files of a folder",
		Long: `List shows every adapter file in DIR, or in the current folder: its task, classes, input size, whether it fits the
backbone, and who signed it. Files that cannot be used follow on stderr with the reason.`,
		Example: `  edgeadapt adapters list tasks`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("unexpected argument %q", args[1])
			}
			return nil
		},
	}
	f.register(c)
	return a.command(c, func(ctx context.Context, args []string) error {
		dir := "."
		if len(args) > 0 {
			dir = args[0]
		}
		l, rows, err := f.open(a, dir)
		if err != nil {
			return err
		}
		for _, e := range l.Entries {
			rows.add(e, 0)
		}
		return rows.print(a, f.json)
	})
}

func (a *app) adaptersSearch() *cobra.Command {
	f := &libraryFlags{}
	c := &cobra.Command{
		Use:   "search WORDS...",
		Short: "Find adapters by words in their name, description, labels and tags",
		Long: `Search ranks the adapter files of a folder by the words that they share with the query, whatever their endings:
"sorting ripe fruits" finds the fruit sorter with a class "ripe".`,
		Example: `  edgeadapt adapters search sorting ripe fruits --dir tasks`,
		Args:    atLeastOne("WORDS"),
	}
	f.register(c)
	c.Flags().StringVar(&f.dir, "dir", ".", "folder of adapter files")
	c.Flags().IntVar(&f.top, "top", 10, "most results to print; 0 for all")
	return a.command(c, func(ctx context.Context, args []string) error {
		if f.top < 0 {
			return usagef("--top %d, expected 0 or more", f.top)
		}
		l, rows, err := f.open(a, f.dir)
		if err != nil {
			return err
		}
		rows.scored = true
		for _, h := range l.Search(strings.Join(args, " "), f.top) {
			rows.add(h.Entry, h.Score)
		}
		return rows.print(a, f.json)
	})
}

// open reads the folder and says which files are refused.
func (f *libraryFlags) open(a *app, dir string) (*library.Library, *libraryRows, error) {
	ref, err := backboneRef(f.backbone)
	if err != nil {
		return nil, nil, err
	}
	l, err := library.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range l.Refused {
		fmt.Fprintf(a.stderr, "%s %s: %v\n", a.paint(red, "refused:"), r.Path, r.Err)
	}
	return l, &libraryRows{fingerprint: ref.Fingerprint, list: []libraryRow{}}, nil
}

// libraryRow is an adapter file as --json prints it.
type libraryRow struct {
	File        string   `json:"file"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	Task        string   `json:"task"`
	Method      string   `json:"method"`
	Labels      []string `json:"labels"`
	Size        int      `json:"size"`
	Bytes       int64    `json:"bytes"`
	Backbone    string   `json:"backbone"`
	Fits        bool     `json:"fits_backbone"`
	Signer      string   `json:"signer,omitempty"` // not verified
	Plugin      bool     `json:"plugin"`
	Score       float64  `json:"score,omitempty"`
}

type libraryRows struct {
	fingerprint string
	scored      bool
	list        []libraryRow
}

func (r *libraryRows) add(e library.Entry, score float64) {
	c := e.Config
	r.list = append(r.list, libraryRow{File: e.Path, Name: e.Name(), Description: c.Description, Tags: c.Tags, Task: string(c.Task),
		Method: string(c.Method), Labels: c.Labels, Size: c.Size, Bytes: e.Bytes, Backbone: e.Ref.Name,
		Fits: e.Ref.Fingerprint == r.fingerprint, Signer: e.Signer, Plugin: e.Plugin, Score: score})
}

func (r *libraryRows) print(a *app, asJSON bool) error {
	if asJSON {
		return a.printJSON(r.list)
	}
	if len(r.list) == 0 {
		_, err := fmt.Fprintln(a.stderr, "no adapters found")
		return err
	}
	head := []string{"FILE", "NAME", "CLASSES", "PIXELS", "SIZE", "BACKBONE", "FITS", "SIGNED BY"}
	if r.scored {
		head = append([]string{"SCORE"}, head...)
	}
	rows := [][]string{head}
	for _, e := range r.list {
		fits, signer := "yes", "-"
		if !e.Fits {
			fits = "no"
		}
		if e.Signer != "" {
			signer = e.Signer[:12] + "..."
		}
		row := []string{filepath.Base(e.File), e.Name, classes(e.Labels), fmt.Sprint(e.Size), bytesText(e.Bytes), e.Backbone, fits, signer}
		if r.scored {
			row = append([]string{fmt.Sprintf("%.2f", e.Score)}, row...)
		}
		rows = append(rows, row)
	}
	return table(a.stdout, rows)
}

// classes is the number of labels with the first few.
func classes(labels []string) string {
	const few = 3
	text := strings.Join(labels[:min(few, len(labels))], ", ")
	if len(labels) > few {
		text += ", ..."
	}
	return fmt.Sprintf("%d: %s", len(labels), text)
}
