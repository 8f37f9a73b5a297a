PY := .venv/bin/python
STUBS := core/xmirad/api/v1

.PHONY: protos
protos: ; rm -rf build/protos && mkdir -p build/protos
	PATH=.venv/bin:$$PATH $(PY) -m grpc_tools.protoc -Iprotos --python_out=build/protos --pyi_out=build/protos \
	  --grpc_python_out=build/protos --mypy_grpc_out=build/protos protos/xmirad/v1/*.proto
	sed -i 's/from xmirad\.v1 import/from xmirad.api.v1 import/; s/xmirad\.v1\.\(\w*_pb2\)/xmirad.api.v1.\1/g' build/protos/xmirad/v1/*.py build/protos/xmirad/v1/*.pyi
	rm -f $(STUBS)/*_pb2*.py $(STUBS)/*_pb2*.pyi && cp build/protos/xmirad/v1/*_pb2* $(STUBS)/
