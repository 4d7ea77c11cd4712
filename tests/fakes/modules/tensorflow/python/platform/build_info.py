import collections
build_info = collections.OrderedDict([("cuda_version", "12.5.1"), ("is_cuda_build", True)])
