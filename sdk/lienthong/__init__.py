"""What a client of Liên Thông needs: the generated contracts in `api` and the helpers in `client`."""
