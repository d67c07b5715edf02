module plainclient

go 1.19
