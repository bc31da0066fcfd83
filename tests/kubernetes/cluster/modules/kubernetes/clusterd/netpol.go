package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
)

const table = "codex_web_netpol"

// enforcer turns all NetworkPolicies into one nftables table, replaced in one transaction.
//
// Each isolated pod has one chain per isolated direction: what a policy allows returns from it, the rest is dropped.
// What the node itself sends is never judged, as in most network plug-ins: the kubelet's probes must arrive. Addresses
// are compared after the translation of service addresses, so a policy about a service port never matches. IPv4 only.
type enforcer struct {
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister
	loaded     string
}

func newEnforcer(w *world) *enforcer {
	pods := w.factory.Core().V1().Pods()
	namespaces := w.factory.Core().V1().Namespaces()
	policies := w.factory.Networking().V1().NetworkPolicies()
	w.watch(pods.Informer())
	w.watch(namespaces.Informer())
	w.watch(policies.Informer())
	return &enforcer{pods: pods.Lister(), namespaces: namespaces.Lister(), policies: policies.Lister()}
}

func (e *enforcer) pass(ctx context.Context) error {
	rules, err := e.rules()
	if err != nil || rules == e.loaded {
		return err
	}
	load := exec.CommandContext(ctx, "nft", "-f", "-")
	load.Stdin = strings.NewReader(rules)
	if said, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, said)
	}
	e.loaded = rules
	return nil
}

// rules writes the whole table as it should be now.
func (e *enforcer) rules() (string, error) {
	pods, err := e.networkedPods()
	if err != nil {
		return "", err
	}
	policies, err := e.policies.List(labels.Everything())
	if err != nil {
		return "", err
	}
	var chains bytes.Buffer
	var ingress, egress []string
	for number, pod := range pods {
		var in, out []string
		var inIsolated, outIsolated bool
		for _, policy := range policies {
			if policy.Namespace != pod.Namespace || !selects(&policy.Spec.PodSelector, pod.Labels) {
				continue
			}
			if judges(policy, networking.PolicyTypeIngress) {
				inIsolated = true
				for _, rule := range policy.Spec.Ingress {
					in = append(in, e.lines("saddr", rule.From, rule.Ports, policy.Namespace, pods, pod)...)
				}
			}
			if judges(policy, networking.PolicyTypeEgress) {
				outIsolated = true
				for _, rule := range policy.Spec.Egress {
					out = append(out, e.lines("daddr", rule.To, rule.Ports, policy.Namespace, pods, nil)...)
				}
			}
		}
		if inIsolated {
			ingress = append(ingress, fmt.Sprintf("%s : jump in_%d", pod.Status.PodIP, number))
			writeChain(&chains, fmt.Sprintf("in_%d", number), in)
		}
		if outIsolated {
			egress = append(egress, fmt.Sprintf("%s : jump out_%d", pod.Status.PodIP, number))
			writeChain(&chains, fmt.Sprintf("out_%d", number), out)
		}
	}
	var all bytes.Buffer
	fmt.Fprintf(&all, "table inet %s\ndelete table inet %s\ntable inet %s {\n%s", table, table, table, chains.String())
	writeHook(&all, "forward", [2]string{jumps("saddr", egress), jumps("daddr", ingress)})
	writeHook(&all, "input", [2]string{jumps("saddr", egress), ""})
	all.WriteString("}\n")
	return all.String(), nil
}

// networkedPods gives the pods that have an address of their own, in a fixed order.
func (e *enforcer) networkedPods() ([]*core.Pod, error) {
	all, err := e.pods.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	// Of two pods with one address, the newer has it: the other is on its way out.
	newest := map[string]*core.Pod{}
	for _, pod := range all {
		ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
		if pod.Status.PodIP == "" || pod.Spec.HostNetwork || ended {
			continue
		}
		if known := newest[pod.Status.PodIP]; known == nil || known.CreationTimestamp.Before(&pod.CreationTimestamp) {
			newest[pod.Status.PodIP] = pod
		}
	}
	var pods []*core.Pod
	for _, pod := range newest {
		pods = append(pods, pod)
	}
	sort.Slice(pods, func(a, b int) bool { return pods[a].UID < pods[b].UID })
	return pods, nil
}

// lines gives one nftables line for each pair of peer and port of a rule. A rule without peers means everybody, one
// without ports every port. `target` is the pod that named ports belong to; where it is nil, they belong to the peers.
func (e *enforcer) lines(side string, peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort, namespace string, pods []*core.Pod, target *core.Pod) []string {
	if len(peers) == 0 {
		peers = []networking.NetworkPolicyPeer{{}}
	}
	var lines []string
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if match := blockMatch(side, peer.IPBlock); match != "" {
				lines = append(lines, withPorts(match, ports, target)...)
			}
			continue
		}
		if peer.PodSelector == nil && peer.NamespaceSelector == nil {
			lines = append(lines, withPorts("", ports, target)...)
			continue
		}
		for _, pod := range pods {
			if e.isPeer(&peer, pod, namespace) {
				owner := target
				if owner == nil {
					owner = pod
				}
				lines = append(lines, withPorts("ip "+side+" "+pod.Status.PodIP, ports, owner)...)
			}
		}
	}
	return lines
}

func (e *enforcer) isPeer(peer *networking.NetworkPolicyPeer, pod *core.Pod, namespace string) bool {
	if peer.NamespaceSelector == nil {
		return pod.Namespace == namespace && selects(peer.PodSelector, pod.Labels)
	}
	home, err := e.namespaces.Get(pod.Namespace)
	return err == nil && selects(peer.NamespaceSelector, home.Labels) && (peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels))
}

func blockMatch(side string, block *networking.IPBlock) string {
	if !isIPv4(block.CIDR) {
		return ""
	}
	match := "ip " + side + " " + block.CIDR
	if block.CIDR == "0.0.0.0/0" {
		match = "meta nfproto ipv4" // nft takes no prefix of length zero
	}
	var except []string
	for _, cidr := range block.Except {
		if isIPv4(cidr) {
			except = append(except, cidr)
		}
	}
	if len(except) > 0 {
		match += " ip " + side + " != { " + strings.Join(except, ", ") + " }"
	}
	return match
}

func isIPv4(cidr string) bool {
	address, _, err := net.ParseCIDR(cidr)
	return err == nil && address.To4() != nil
}

// withPorts adds the ports of a rule to a match; a named port of a pod without that name allows nothing.
func withPorts(match string, ports []networking.NetworkPolicyPort, owner *core.Pod) []string {
	if len(ports) == 0 {
		return []string{strings.TrimSpace(match + " return")}
	}
	var lines []string
	for _, port := range ports {
		protocol := "tcp"
		if port.Protocol != nil {
			protocol = strings.ToLower(string(*port.Protocol))
		}
		wanted := "meta l4proto " + protocol
		if port.Port != nil {
			number := namedPort(owner, port.Port, protocol)
			if number == 0 {
				continue
			}
			wanted = fmt.Sprintf("%s dport %d", protocol, number)
			if port.EndPort != nil {
				wanted += fmt.Sprintf("-%d", *port.EndPort)
			}
		}
		lines = append(lines, strings.TrimSpace(match+" "+wanted+" return"))
	}
	return lines
}

func namedPort(owner *core.Pod, port *intstr.IntOrString, protocol string) int32 {
	if port.Type == intstr.Int {
		return port.IntVal
	}
	if owner == nil {
		return 0
	}
	for _, container := range owner.Spec.Containers {
		for _, candidate := range container.Ports {
			if candidate.Name == port.StrVal && strings.EqualFold(string(candidate.Protocol), protocol) {
				return candidate.ContainerPort
			}
		}
	}
	return 0
}

func judges(policy *networking.NetworkPolicy, kind networking.PolicyType) bool {
	for _, each := range policy.Spec.PolicyTypes {
		if each == kind {
			return true
		}
	}
	return false
}

func selects(selector *meta.LabelSelector, of map[string]string) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(of))
}

func writeChain(to *bytes.Buffer, name string, lines []string) {
	fmt.Fprintf(to, "chain %s {\n%s\ncounter drop\n}\n", name, strings.Join(lines, "\n"))
}

func jumps(side string, entries []string) string {
	if len(entries) == 0 {
		return ""
	}
	return "ip " + side + " vmap { " + strings.Join(entries, ", ") + " }"
}

// writeHook writes a base chain. Connections that were allowed once stay, as in other enforcers.
func writeHook(to *bytes.Buffer, hook string, jumps [2]string) {
	fmt.Fprintf(to, "chain %s {\ntype filter hook %s priority 10; policy accept;\nct state established,related accept\n%s\n%s\n}\n", hook, hook, jumps[0], jumps[1])
}
