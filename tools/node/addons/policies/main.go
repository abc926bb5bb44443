// kube-router's enforcer of network policies alone: its routers compile BGP and a cloud's library.
// usage: policies KUBECONFIG NODE SERVICES, the last a range of addresses
package main

import (
	"os"
	"sync"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func must(err error) {
	if err != nil {
		klog.Fatal(err)
	}
}

func main() {
	given := options.NewKubeRouterConfig()
	given.Kubeconfig, given.HostnameOverride = os.Args[1], os.Args[2]
	given.ClusterIPCIDRs, given.RunFirewall, given.EnableIPv4 = []string{os.Args[3]}, true, true
	reached, err := clientcmd.BuildConfigFromFlags("", given.Kubeconfig)
	must(err)
	client, err := kubernetes.NewForConfig(reached)
	must(err)

	beats, stop := make(chan *healthcheck.ControllerHeartbeat), make(chan struct{})
	go func() {
		for range beats { // it sends until somebody listens
		}
	}()
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods().Informer(), factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Core().V1().Nodes().Informer()
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	tables, sets, err := netpol.NewIPTablesHandlers(given)
	must(err)
	var shared sync.Mutex
	enforcer, err := netpol.NewNetworkPolicyController(client, given, pods, policies, namespaces, &shared, tables, sets)
	must(err)
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: enforcer.PodEventHandler, namespaces: enforcer.NamespaceEventHandler, policies: enforcer.NetworkPolicyEventHandler,
	} {
		_, err = informer.AddEventHandler(handler)
		must(err)
	}
	var running sync.WaitGroup
	running.Add(1)
	klog.Infof("enforcing network policies of %s since %s", given.HostnameOverride, time.Now().Format(time.TimeOnly))
	enforcer.Run(beats, stop, &running)
}
