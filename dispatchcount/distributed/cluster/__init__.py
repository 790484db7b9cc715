"""A cluster that is not there: one process in which torch believes to be a rank of many.

torch has a process group for tests, ``"fake"``, whose collectives return at once. With it, with
models on meta and with fake tensors, all of torch's own parallelism runs in one process and
allocates nothing. It was not made for this, so there are traps. Each is dealt with in a file of its
own here, next to a sentence that says what goes wrong otherwise and in which versions of torch. All
that is private to torch and used by planning is in this folder.

    requirements   what torch and the process must have; what is missing is named
    kernels        collectives on tensors without values
    rank           the fake process group and its mesh
    defaults       what code sets for the whole process, put back
    dtensor        layouts that DTensor remembers, and its all-to-all
    stand_in       fake tensors in place of those on meta
    fsdp           parameters of FSDP2 and their padding
    ddp            checks, buckets and hooks of DistributedDataParallel
    values         errors that say that a value was read
    patched        attributes that are other ones for a while
"""
