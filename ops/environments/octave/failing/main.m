error('nothing works');
