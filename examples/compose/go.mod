module github.com/mocksrv/mocksrv/examples/compose

go 1.26
