"""Every host that the lab fetches from when no mirror is set; nothing else is contacted."""

PACKAGES = "https://pypi.org/simple/"

MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
CIFAR = "https://www.cs.toronto.edu/~kriz/"
WEIGHTS = "https://download.pytorch.org/models/"
HUB = "https://huggingface.co"

DATA = {"MNIST": MNIST, "CIFAR-10": CIFAR, "ResNet34": WEIGHTS, "CelebA": HUB}

# Asked by `./inv audit` alone.
ADVISORIES = "https://api.osv.dev/v1/query"
