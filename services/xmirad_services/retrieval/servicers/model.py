"""`ModelService`."""

import json

from xmirad.api.enums import UNTRAINED_FEATURES
from xmirad.api.v1 import model_service_pb2 as pb
from xmirad.api.v1 import model_service_pb2_grpc as pb_grpc
from xmirad.lanes import Lane, Priority
from xmirad.models.artifact import ModelArtifact
from xmirad_services.retrieval.interceptors import Context
from xmirad_services.retrieval.loaded_models import LoadedModels


class ModelServicer(pb_grpc.ModelServiceServicer):
    """Describes the installed models."""

    def __init__(self, models: LoadedModels, lane: Lane) -> None:
        """Describe models, reading their files on a lane."""
        self._models = models
        self._lane = lane

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """List the models by name."""
        artifacts = await self._lane.run(Priority.INTERACTIVE, self._models.list)
        return pb.ListModelsResponse(models=[self._message(artifact) for artifact in artifacts])

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Return a model with its card."""
        return pb.GetModelResponse(model=await self._lane.run(Priority.INTERACTIVE, self._whole, request.name))

    def _whole(self, name: str) -> pb.Model:
        artifact = self._models.find(name)
        message, images = self._message(artifact, card=artifact.card), artifact.training_images
        message.training_image_digests = bytes.fromhex("".join(images.training))
        message.validation_image_digests = bytes.fromhex("".join(images.validation))
        return message

    def _message(self, artifact: ModelArtifact, *, card: str = "") -> pb.Model:
        return pb.Model(
            name=f"models/{artifact.digest}",
            display_name=artifact.name,
            digest=artifact.digest,
            architecture=artifact.architecture,
            embedding_size=artifact.embedding_size,
            preprocessing_json=json.dumps(artifact.preprocessing.to_json(), sort_keys=True),
            training_data=artifact.training_data,
            license=artifact.license,
            card=card,
            is_default=self._models.is_default(artifact),
            untrained_features=UNTRAINED_FEATURES.to_proto(artifact.untrained_features),
        )
