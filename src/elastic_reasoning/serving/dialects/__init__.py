"""How clients speak to the gateway, one file each."""
