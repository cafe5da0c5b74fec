module github.com/mocksrv/mocksrv/tools

go 1.26
