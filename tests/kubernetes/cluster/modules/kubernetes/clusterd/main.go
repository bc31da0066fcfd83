// Command clusterd does for the test cluster what a storage driver and a network plug-in do for a real one:
//
//	clusterd provisioner -kubeconfig F -dir D -node N   makes volumes: folders below D, grown and removed as claims ask
//	clusterd netpol -kubeconfig F                       enforces NetworkPolicies with nftables
//
// Both look at the whole cluster again after every burst of changes. That is plenty for one node.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: clusterd provisioner|netpol FLAGS")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "file with the cluster's address and credentials")
	dir := flags.String("dir", "", "folder of the volumes (provisioner)")
	node := flags.String("node", "", "name of the node that has them (provisioner)")
	_ = flags.Parse(os.Args[2:])

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	w := newWorld(client)
	switch os.Args[1] {
	case "provisioner":
		w.run(ctx, newProvisioner(w, *dir, *node).pass)
	case "netpol":
		w.run(ctx, newEnforcer(w).pass)
	default:
		log.Fatalf("clusterd knows provisioner and netpol, not %q", os.Args[1])
	}
}

// world keeps copies of what is watched and says when any of it changed.
type world struct {
	client  kubernetes.Interface
	factory informers.SharedInformerFactory
	changed chan struct{}
}

func newWorld(client kubernetes.Interface) *world {
	return &world{client, informers.NewSharedInformerFactory(client, 0), make(chan struct{}, 1)}
}

// watch makes changes of these objects wake the work.
func (w *world) watch(informer cache.SharedIndexInformer) {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.wake() },
		UpdateFunc: func(any, any) { w.wake() },
		DeleteFunc: func(any) { w.wake() },
	})
	if err != nil {
		log.Fatal(err)
	}
}

func (w *world) wake() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// run calls the work after every burst of changes, one call at a time, until the context ends. Work that failed is
// tried again after a second.
func (w *world) run(ctx context.Context, work func(context.Context) error) {
	w.factory.Start(ctx.Done())
	w.factory.WaitForCacheSync(ctx.Done())
	w.wake()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		}
		time.Sleep(20 * time.Millisecond)
		if err := work(ctx); err != nil {
			log.Print(err)
			time.AfterFunc(time.Second, w.wake)
		}
	}
}
