from dispatchcount.rules import matmul
