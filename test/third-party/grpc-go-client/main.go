// The same as grpcio-client.py with grpc-go.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscredentials "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds"
)

const path = "/echo.Echo/Say"

// raw passes messages as the bytes that they are.
type raw struct{}

func (raw) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }
func (raw) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = data
	return nil
}
func (raw) Name() string { return "raw" }

type request struct {
	Target string
	Path   string
	Fields []string
	Count  int
}

type outcome struct {
	Code    int    `json:"code"`
	Details string `json:"details"`
	Body    string `json:"body"`
}

func open(target string, transport credentials.TransportCredentials) *grpc.ClientConn {
	connection, err := grpc.NewClient(
		target,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})),
	)
	if err != nil {
		log.Fatal(err)
	}
	return connection
}

func call(connection *grpc.ClientConn, path string, fields []string, limit time.Duration) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	message, answer := []byte{}, []byte{}
	err := connection.Invoke(metadata.AppendToOutgoingContext(ctx, fields...), path, &message, &answer)
	of := status.Convert(err)
	return outcome{int(of.Code()), of.Message(), string(answer)}
}

func ask(transport credentials.TransportCredentials) {
	connections := map[string]*grpc.ClientConn{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		connection := connections[asked.Target]
		if connection == nil {
			connection = open(asked.Target, transport)
			connections[asked.Target] = connection
		}
		outcomes := []outcome{}
		for i := 0; i < asked.Count; i++ {
			outcomes = append(outcomes, call(connection, asked.Path, asked.Fields, 20*time.Second))
		}
		if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
			log.Fatal(err)
		}
	}
}

func main() {
	mode, targets := os.Args[1], os.Args[2:]
	transport := insecure.NewCredentials()
	if strings.HasSuffix(mode, "-tls") {
		secure, err := xdscredentials.NewClientCredentials(xdscredentials.ClientOptions{FallbackCreds: transport})
		if err != nil {
			log.Fatal(err)
		}
		transport = secure
	}
	if mode == "ask" {
		ask(transport)
		return
	}
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(done)
	}()
	connections := []*grpc.ClientConn{}
	for _, target := range targets {
		connection := open(target, transport)
		connection.Connect()
		connections = append(connections, connection)
	}
	if strings.HasPrefix(mode, "watch") {
		<-done
		return
	}
	for {
		for _, connection := range connections {
			of := call(connection, path, nil, 5*time.Second)
			if of.Code == 0 {
				fmt.Println("ok " + of.Body)
			} else {
				fmt.Printf("error %d %s\n", of.Code, of.Details)
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}
}
