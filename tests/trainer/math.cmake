# SPDX-License-Identifier: Apache-2.0
# Tests of the trainer's mathematics: layers, losses, optimisers, network.
lipserve_test(adam_test.cc LINK lipserve_trainer_math)
lipserve_test(binary_losses_test.cc LINK lipserve_trainer_math)
lipserve_test(bjorck_test.cc LINK lipserve_trainer_math)
lipserve_test(flatten_test.cc LINK lipserve_trainer_math)
lipserve_test(frobenius_dense_test.cc LINK lipserve_trainer_math)
lipserve_test(group_sort_layer_test.cc LINK lipserve_trainer_math)
lipserve_test(inner_product_test.cc LINK lipserve_trainer_math)
lipserve_test(make_layer_test.cc LINK lipserve_trainer_math)
lipserve_test(polar_factor_test.cc LINK lipserve_trainer_math)
lipserve_test(random_orthogonal_test.cc LINK lipserve_trainer_math)
lipserve_test(spectral_dense_test.cc LINK lipserve_trainer_math)
lipserve_test(trainable_network_test.cc LINK lipserve_trainer_math)
