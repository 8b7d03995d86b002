_base_ = '../teachers/vgg13_svhn.py'
