// Command probe is what tests run inside of pods: one static program instead of tools that an image may lack.
//
//	probe get URL       fetches it within 3 s and prints "STATUS BODY"; exit 1 says why not
//	probe dns NAME      prints the addresses of a name
//	probe dial ADDRESS  opens a TCP connection within 3 s
//	probe serve ADDRESS answers every request with the host name and the caller's address
//	probe eat MIB       takes that much memory, touches it and sleeps
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const patience = 3 * time.Second

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: probe get|dns|dial|serve|eat ARGUMENT"))
	}
	jobs := map[string]func(string) error{"get": get, "dns": dns, "dial": dial, "serve": serve, "eat": eat}
	job, known := jobs[os.Args[1]]
	if !known {
		fail(fmt.Errorf("probe knows get, dns, dial, serve and eat, not %q", os.Args[1]))
	}
	if err := job(os.Args[2]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func get(url string) error {
	client := http.Client{Timeout: patience}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	fmt.Printf("%d %s\n", answer.StatusCode, body)
	return nil
}

func dns(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addresses, "\n"))
	return nil
}

func dial(address string) error {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	fmt.Println("connected")
	return connection.Close()
}

func serve(address string) error {
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _ := os.Hostname()
		fmt.Fprintf(w, "%s answers %s", host, r.RemoteAddr)
	}))
}

func eat(mib string) error {
	count, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	var eaten [][]byte
	for range count {
		piece := make([]byte, 1<<20)
		for at := 0; at < len(piece); at += 4096 {
			piece[at] = 1
		}
		eaten = append(eaten, piece)
	}
	fmt.Printf("%d MiB\n", len(eaten))
	time.Sleep(time.Hour)
	return nil
}
