package extent

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFileSystemsThatCannotDoEverythingWill(t *testing.T) {
	for name, open := range map[string]func(dir string) (File, error){
		"without direct I/O":     func(dir string) (File, error) { return openBest(dir, unix.O_CREAT) }, // which is refused as well
		"without nameless files": func(dir string) (File, error) { return openUnlinked(dir, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("the directory has %v, %v", left, err)
			}
			if _, err := f.WriteAt([]byte("bytes"), 0); err != nil {
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheFileIsPastThePageCache(t *testing.T) {
	f, err := openPrivate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file := f.(*os.File)
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if flags&unix.O_DIRECT == 0 {
		t.Skip("this file system has no direct I/O")
	}
	if _, err := f.WriteAt(make([]byte, 100), 1); err == nil {
		t.Error("the file takes what direct I/O should refuse")
	}
}
