# What a reader has who built or downloaded the module: dist/tollgate.wasm.
test -e dist/tollgate.wasm
