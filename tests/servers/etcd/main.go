// Command etcd is a newer etcd than Debian's. Run as etcdutl, a link to it, it restores snapshots, which that
// version's server reads.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/etcdutl/v3/etcdutl"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	if filepath.Base(os.Args[0]) != "etcdutl" {
		etcdmain.Main(os.Args)
		return
	}
	tool := &cobra.Command{Use: "etcdutl", SilenceUsage: true}
	tool.AddCommand(etcdutl.NewSnapshotCommand())
	if err := tool.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
