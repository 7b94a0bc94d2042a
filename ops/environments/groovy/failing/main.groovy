throw new IllegalStateException('nothing works')
