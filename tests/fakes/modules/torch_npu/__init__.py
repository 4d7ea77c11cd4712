"""A torch_npu that loads."""
